"""The traffic of a virtual server in the last hour: as a chart, and as the numbers that it is made of."""

from base64 import b64encode
from hashlib import sha256

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from piranha.errors import EngineUnavailable, PiranhaError
from piranha.monitoring import SamplesAnswer
from piranha.web import charts, traffic_rows
from piranha.web.blocks import shown_path
from piranha.web.client import engine, engine_problem
from piranha.web.furniture import size
from piranha.web.state import gui
from piranha.web.texts import _

blueprint = Blueprint("traffic", __name__)

STYLE = (
    "text{font:12px Helvetica,Arial,sans-serif;fill:#333}"
    ".title{font-weight:700}"
    ".ground{fill:#fff}"
    ".grid{stroke:#bbb;stroke-width:1}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".first{stroke:#0b57d0}.second{stroke:#a84300;stroke-dasharray:6 3}"
    ".dot.first{fill:#0b57d0}.dot.second{fill:#a84300}"
    "@media screen and (prefers-color-scheme:dark){"
    "text{fill:#ddd}.ground{fill:#1b1b1b}.grid{stroke:#555}"
    ".first{stroke:#8ab4f8}.second{stroke:#ffb074}.dot.first{fill:#8ab4f8}.dot.second{fill:#ffb074}}"
)
"""The picture stands alone, so it has its colours inside; the policy of its answer allows exactly these."""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@blueprint.get("/secure/traffic")
def show() -> ResponseReturnValue:
    """Show the chart and the numbers: summed up, or with `every` each sample."""
    virtual = request.args.get("virtual", "")
    shows_every = bool(request.args.get("every"))
    # An engine that hangs was waited for by now, and is not waited for once more.
    silent = engine_problem()
    told, problem, code = (None, silent, 200) if silent else _samples(virtual)
    page = render_template(
        "traffic.html",
        virtual=virtual,
        name=shown_path(virtual),
        told=told,
        shows_every=shows_every,
        rows=[] if told is None or shows_every else traffic_rows.rows(told),
        span_s=0 if told is None else traffic_rows.span_s(told),
        widths={"large": charts.LARGE_WIDTH, "narrow": charts.NARROW_WIDTH, "height": charts.LARGE_HEIGHT},
        problem=problem,
        chart_at=int(gui().wall_clock() // (told.interval_s if told is not None else 1)),
    )
    return page, code


@blueprint.get("/secure/chart.svg")
def chart() -> ResponseReturnValue:
    """Draw the chart: `size` large, `narrow` for a narrow screen, or the small one beside a virtual server."""
    virtual = request.args.get("virtual", "")
    told, problem, _code = _samples(virtual)
    drawn = None
    if told is not None:
        titles = (_("Connections/s"), _("Active connections"), _("Bytes/s"))
        names = (_("connections/s"), _("active"), _("in"), _("out"))
        width = {"large": charts.LARGE_WIDTH, "narrow": charts.NARROW_WIDTH}.get(request.args.get("size", ""))
        drawn = charts.large(told, titles, names, size, width=width) if width else charts.small(told, names[0])
    answer: Response = make_response(render_template("chart.svg", chart=drawn, problem=problem, style=STYLE))
    answer.headers["Content-Type"] = "image/svg+xml; charset=utf-8"
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def _samples(virtual: str) -> tuple[SamplesAnswer | None, str, int]:
    """Return the samples, or why there are none, and the code of the answer."""
    if not virtual:
        return None, _("No virtual server was named."), 404
    try:
        told = engine().samples(virtual)
    except EngineUnavailable as problem:
        return None, str(problem), 200
    except PiranhaError as problem:
        return None, str(problem), 422
    if not told.name and not told.samples:
        return told, _("%(name)s is not in what runs.", name=shown_path(virtual)), 404
    return told, "", 200

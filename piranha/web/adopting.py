"""ADOPT: an lvs.cf from elsewhere becomes this router's, after its faults and the difference were seen.

The file that was looked at travels through the page, byte for byte, so that what is saved is what was shown.
"""

import contextlib
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.load import decode, encoding_of, load
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused, EngineUnavailable, NotPermitted
from piranha.messages import SaveAnswer
from piranha.web import uploads
from piranha.web.client import engine, read_again
from piranha.web.saving import tell
from piranha.web.texts import _
from piranha.web.uploads import Kept

blueprint = Blueprint("adopting", __name__)

FILE_BYTES_MAX = 5 * 1024 * 1024
NO_FILE = "-"
"""Stands in the form for the token of an lvs.cf that does not exist."""
DIFF_LINES_MAX = 400
_BODY_BYTES_MAX = FILE_BYTES_MAX * 4 // 3 + 100_000


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was looked at: the file for the form, what saving it would do, and its faults."""

    kept: Kept
    token: str
    answer: SaveAnswer
    faults: tuple[Fault, ...]

    @property
    def errors(self) -> int:
        """Return how many of the faults are errors."""
        return sum(fault.severity is Severity.ERROR for fault in self.faults)

    @property
    def diff(self) -> str:
        """Return the first lines of the difference."""
        return "".join(self.answer.diff.splitlines(keepends=True)[:DIFF_LINES_MAX])

    @property
    def lines_left_out(self) -> int:
        """Return how many lines of the difference are not shown."""
        return max(0, len(self.answer.diff.splitlines()) - DIFF_LINES_MAX)


class _NoFile(ValueError):
    """What came is no file; the sentence says why."""


def widen() -> None:
    """Let a file through that is larger than a form may be, for whoever is logged in. Runs behind the gate."""
    if request.endpoint == "adopting.adopt" and current_user.is_authenticated:
        request.max_content_length = _BODY_BYTES_MAX
        request.max_form_memory_size = _BODY_BYTES_MAX


@blueprint.get("/secure/adopt")
def show() -> ResponseReturnValue:
    """Ask for a file."""
    return _page()


@blueprint.post("/secure/adopt")
def adopt() -> ResponseReturnValue:
    """Look at a file, or save one that was looked at. Whatever fails, the page keeps the file."""
    is_save = request.form.get("do") == "save"
    kept: Kept | None = None
    try:
        content, name = _held() if is_save else _sent()
        kept = uploads.kept(content, name)
        token = request.form.get("token", "") if is_save else _present_token()
        answer = engine().adopt(content, "" if token == NO_FILE else token or "?", name, dry_run=not is_save)
    except _NoFile as problem:
        return _page(str(problem)), 422
    except ConfigConflict:
        read_again()
        changed = _("lvs.cf was changed since this was shown. Nothing was saved. This is the difference now.")
        return _looked_again(content, uploads.kept(content, name), changed)
    except EditRefused as problem:
        return _page(problem.sentence, kept=kept), 422
    except NotPermitted as problem:
        return _page(str(problem), kept=kept), 403
    except (ConfigUnavailable, EngineUnavailable) as problem:
        read_again()
        return _page(str(problem), kept=kept), 503
    if not is_save:
        return _page(looked=_looked(content, kept, token, answer))
    read_again()
    tell(answer, _("%(name)s is lvs.cf now.", name=name))
    return redirect(url_for("plan.show"), 303)


def _looked_again(content: bytes, kept: Kept, told: str) -> ResponseReturnValue:
    try:
        token = _present_token()
        answer = engine().adopt(content, "" if token == NO_FILE else token, kept.name, dry_run=True)
    except (ConfigConflict, ConfigUnavailable, EngineUnavailable, EditRefused) as problem:
        return _page(f"{told} {problem}", kept=kept), 409
    return _page(told, _looked(content, kept, token, answer)), 409


def _looked(content: bytes, kept: Kept, token: str, answer: SaveAnswer) -> Looked:
    faults = load(decode(content), encoding_of(content)).faults
    return Looked(kept, token, answer, in_file_order(faults))


def _present_token() -> str:
    saved = engine().config()
    if saved.problem:
        raise ConfigUnavailable(saved.problem)
    return saved.token if saved.exists else NO_FILE


def _sent() -> tuple[bytes, str]:
    """Return the file of this request, uploaded, pasted, or kept from before, and its name. Raises _NoFile."""
    upload = request.files.get(uploads.FILE)
    text = request.form.get(uploads.TEXT, "")
    if upload is not None and upload.filename:
        with contextlib.closing(upload):
            content, name = upload.read(FILE_BYTES_MAX + 1), uploads.clean_name(upload.filename)
    elif not text.strip() and request.form.get(uploads.CONTENT):
        return _held()
    else:
        # A browser sends what was pasted with the line ends of HTTP.
        text = text.replace("\r\n", "\n")
        if text and not text.endswith("\n"):
            text += "\n"
        content, name = text.encode("utf-8", "surrogatepass"), _("the pasted text")
    if not content.strip():
        raise _NoFile(_("No file was chosen and nothing was pasted."))
    return _within_limit(content), name


def _held() -> tuple[bytes, str]:
    content = uploads.unpacked(request.form.get(uploads.CONTENT, ""))
    if content is None or not content.strip():
        raise _NoFile(_("The page did not bring the file back. Choose it again."))
    return _within_limit(content), uploads.clean_name(request.form.get(uploads.NAME, "")) or _("the file")


def _within_limit(content: bytes) -> bytes:
    if len(content) > FILE_BYTES_MAX:
        raise _NoFile(
            _("The file has more than %(most)s MB. Use piranha adopt on the router.", most=FILE_BYTES_MAX // 1024**2)
        )
    return content


def _page(trouble: str = "", looked: Looked | None = None, kept: Kept | None = None) -> str:
    # What was pasted stands in its field again; there is nothing to be kept beside it.
    text = request.form.get(uploads.TEXT, "")
    return render_template("adopt.html", trouble=trouble, looked=looked, kept=None if text.strip() else kept, text=text)

"""How long something lasts, as a person types it: 90s, 15m, 2h, 1d."""

import re

import click

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WRITTEN = re.compile(r"([0-9]{1,9})\s*([smhd]?)", re.IGNORECASE)


def seconds_of(text: str) -> int | None:
    """Return the seconds of a span, None for what is none; digits alone are seconds."""
    found = _WRITTEN.fullmatch(text.strip())
    return None if found is None or not int(found[1]) else int(found[1]) * _SECONDS[found[2].lower()]


class _Span(click.ParamType[int]):
    name = "SPAN"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        seconds = seconds_of(value)
        if seconds is None:
            self.fail(f"{value!r:.40} is no span of time. Write 90s, 15m, 2h or 1d.", param, ctx)
        return seconds


SPAN = _Span()

"""The commands that list what the engine keeps a record of: events, audit."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from piranha.cli.examples import examples
from piranha.cli.report import aligned, plain
from piranha.errors import EngineUnavailable
from piranha.exports import csv_lines, json_lines
from piranha.records import (
    AUDIT_RESULTS,
    AUDIT_VERBS,
    EVENT_KINDS,
    RECORDS_MAX,
    AuditEntry,
    AuditQuery,
    EngineEvent,
    EventsQuery,
)

if TYPE_CHECKING:
    from piranha.cli.main import Session
    from piranha.client import EngineClient

SHOWN = 50
ASK_AGAIN_S = 1.0
_TIME_HELP = "a time such as 2026-05-31 or '2026-05-31 14:00', or an age: 90s, 15m, 2h, 1d."
_KIND_HELP = f"Of this kind; may be given again. There are {', '.join(EVENT_KINDS)}."
_AUDIT_HEADINGS = ("NUMBER", "TIME", "WHO", "FROM", "UID", "WHAT", "RESULT", "ABOUT", "")

_COUNT = click.option(
    "-n",
    "--count",
    type=click.IntRange(1, RECORDS_MAX),
    metavar="COUNT",
    help=f"The newest so many.  [default: {SHOWN}; with --json and --csv all of them]",
)
_SINCE = click.option("--since", default="", metavar="TIME", help=f"Not before {_TIME_HELP}")
_UNTIL = click.option("--until", default="", metavar="TIME", help=f"Not after {_TIME_HELP}")
_TEXT = click.option("--text", default="", metavar="WORDS", help="With these words in it.")
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document for each, a line each.")
_AS_CSV = click.option("--csv", "as_csv", is_flag=True, help="CSV, for a spreadsheet.")


@click.command(
    epilog=examples(
        "piranha events --about 'virtual[web]' --since 2h",
        "piranha events --kind server-down --kind server-up",
        "piranha events --follow",
    )
)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help=_KIND_HELP)
@click.option("--about", default="", metavar="PATH", help="About this path, or something below it.")
@_TEXT
@_SINCE
@_UNTIL
@_COUNT
@click.option("--follow", is_flag=True, help="Go on and print what comes, until Ctrl-C.")
@_AS_JSON
@_AS_CSV
@click.pass_obj
def events(
    session: "Session",
    kinds: tuple[str, ...],
    about: str,
    text: str,
    since: str,
    until: str,
    count: int | None,
    follow: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show what the engine did and why, the newest at the end.

    Exit code 1: something that was asked for cannot be understood.
    """
    if as_csv and (as_json or follow):
        raise click.UsageError("Give one of --json, --csv and, not with --csv, --follow.")
    query = EventsQuery(kind=",".join(kinds), about=about, text=text, since=since, until=until)
    engine = session.engine
    last = 0
    if (as_json or as_csv) and count is None and not follow:
        found: Iterable[EngineEvent] = engine.all_events(replace(query, after="0"))
    else:
        answer = engine.events(replace(query, limit=str(count or SHOWN)))
        if answer.problem:
            click.echo(f"piranha: {plain(answer.problem)}", err=True)
        found, last = tuple(reversed(answer.events)), answer.last_number
    _tell(json_lines(found) if as_json else csv_lines(EngineEvent, found) if as_csv else map(_of_event, found))
    if follow:
        _follow(engine, query, last, as_json=as_json)


@click.command(epilog=examples("piranha audit --who admin --since 1d", "piranha audit --json > audit.jsonl"))
@click.option("--who", default="", metavar="USER", help="Of this user.")
@click.option("--verb", default="", type=click.Choice(("", *AUDIT_VERBS)), metavar="VERB", help="Of this kind.")
@click.option("--result", default="", type=click.Choice(("", *AUDIT_RESULTS)), metavar="RESULT", help="That ended so.")
@_TEXT
@_SINCE
@_UNTIL
@_COUNT
@_AS_JSON
@_AS_CSV
@click.pass_obj
def audit(
    session: "Session",
    who: str,
    verb: str,
    result: str,
    text: str,
    since: str,
    until: str,
    count: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show who did what, or wanted to, from where, the newest at the end; with --json the diffs too.

    Exit code 1: something that was asked for cannot be understood.
    """
    if as_json and as_csv:
        raise click.UsageError("Give one of --json and --csv.")
    query = AuditQuery(who=who, verb=verb, result=result, text=text, since=since, until=until)
    if (as_json or as_csv) and count is None:
        found: Iterable[AuditEntry] = session.engine.all_audit(replace(query, after="0"))
    else:
        answer = session.engine.audit(replace(query, limit=str(count or SHOWN)))
        if answer.problem:
            click.echo(f"piranha: {plain(answer.problem)}", err=True)
        found = tuple(reversed(answer.entries))
    if as_json or as_csv:
        _tell(json_lines(found) if as_json else csv_lines(AuditEntry, found))
    else:
        rows = list(map(_of_entry, found))
        _tell(f"{line}\n" for line in (aligned([_AUDIT_HEADINGS, *rows]) if rows else ["There is no entry."]))


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, nl=False)


def _follow(engine: "EngineClient", query: EventsQuery, last: int, *, as_json: bool) -> None:
    """Print what comes; an engine that is restarted meanwhile is waited for."""
    is_away = False
    while True:
        try:
            found = tuple(engine.all_events(replace(query, after=str(last))))
            last, is_away = found[-1].number if found else last, False
        except EngineUnavailable as problem:
            if not is_away:
                click.echo(f"piranha: {problem}", err=True)
            is_away, found = True, ()
        _tell(json_lines(found) if as_json else map(_of_event, found))
        time.sleep(ASK_AGAIN_S)


def _of_event(event: EngineEvent) -> str:
    by = " from ".join(plain(word) for word in (event.who, event.from_address) if word)
    about = f"{plain(event.about)}: " if event.about and event.about not in event.sentence else ""
    return f"{plain(event.at)}  {event.kind:<16}  {about}{plain(event.sentence)}{f' [{by}]' if by else ''}\n"


def _of_entry(entry: AuditEntry) -> tuple[str, ...]:
    return (
        str(entry.number),
        plain(entry.at),
        plain(entry.who) or "-",
        plain(entry.from_address) or "-",
        "-" if entry.uid is None else str(entry.uid),
        entry.verb,
        entry.result,
        plain(entry.about) or "-",
        "; ".join(_remarks(entry)),
    )


def _remarks(entry: AuditEntry) -> Iterator[str]:
    if entry.version is not None:
        yield f"version {entry.version}"
    if entry.after_token and entry.after_token != entry.before_token:
        yield f"{entry.before_token[:12] or 'nothing'} -> {entry.after_token[:12]}"
    if entry.reason:
        yield plain(entry.reason)

"""The command `pulse`: the engine of a router, in the foreground."""

import logging
import sys

import click

from piranha.errors import PiranhaError
from piranha.paths import Paths, from_environment


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Prefix of all paths (else PIRANHA_ROOT, else the real system).")
@click.option(
    "--data-path",
    type=click.Choice(("auto", "kernel", "embedded")),
    default="auto",
    show_default=True,
    help="What moves the packets: the kernel's IPVS, or the embedded balancer (TCP, no privileges needed). "
    "auto: the kernel on the real system where it has IPVS.",
)
@click.option(
    "-n",
    "--nodaemon",
    is_flag=True,
    help="Accepted for old scripts: the engine always stays in the foreground.",
)
@click.option(
    "--forceactive",
    is_flag=True,
    help="Take over at the start: at once from an original backup; a new partner is asked for it.",
)
@click.option(
    "-t",
    "--test-start",
    "--norun",
    "is_trial",
    is_flag=True,
    help="Print the addresses and the table that the saved lvs.cf asks for, and touch nothing.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every check, not only the changes.")
@click.version_option(package_name="piranha-lvs", prog_name="pulse")
def pulse(root: str | None, data_path: str, nodaemon: bool, forceactive: bool, is_trial: bool, verbose: bool) -> None:
    """Run the engine: heartbeats and failover, and lvs with the health checks, the table, and the API for the GUI and
    the commands.

    SIGTERM or SIGINT stop it and take its addresses and its table away, addresses first; the partner hears it at once.
    SIGUSR2 ends it and leaves both as they are for the next engine (an upgrade). SIGHUP applies the saved lvs.cf.

    Exit code 0: stopped as asked. 1: it could not start, or with --test-start: lvs.cf cannot be run.
    """
    logging_to_stderr(verbose)
    paths = from_environment(root)
    try:
        if is_trial:
            sys.exit(_tell_trial(paths))
        if data_path == "kernel":
            _require_ipvs()
        if data_path == "kernel" or (data_path == "auto" and paths.is_system and _has_ipvs()):
            from piranha.pulse.run import serve as serve_router

            serve_router(paths, ("--data-path", "kernel", *(("--verbose",) if verbose else ())), forces=forceactive)
        else:
            # The embedded data path lives in one process, has no floating addresses and no partner.
            from piranha.engine.run import serve

            serve(paths, data_path)
    except PiranhaError as error:
        click.echo(f"pulse: {error}", err=True)
        sys.exit(1)


def logging_to_stderr(verbose: bool) -> None:
    """Log as the programs of the engine do."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(name)s[%(process)d]: %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        logging.getLogger("asyncio").setLevel(logging.WARNING)


def _tell_trial(paths: Paths) -> int:
    """Print what the saved lvs.cf asks for. Return the exit code."""
    from piranha.cli import sources
    from piranha.config.load import load
    from piranha.ipvs.addresses import wanted_addresses
    from piranha.ipvs.ipvsadm import rules_of

    source = sources.read(paths.lvs_cf)
    loaded = load(source.text, source.encoding)
    wanted, unusable = wanted_addresses(loaded.cluster, {})
    rules = rules_of(loaded.cluster)
    click.echo("# the floating addresses")
    for each in wanted:
        click.echo(
            f"{each.held.address}/{each.held.prefix_length} on {each.label or each.held.device}  # {each.source}"
        )
    click.echo("# the IPVS table")
    for line in rules.lines:
        click.echo(line)
    left_out = [(each.source, each.sentence) for each in unusable] + list(rules.left_out)
    stopping = [fault.located(source.name) for fault in loaded.faults if fault.stops_apply]
    for told in [*(f"{path} is left out: {reason}" for path, reason in dict.fromkeys(left_out)), *stopping]:
        click.echo(f"# {told}", err=True)
    return 1 if stopping else 0


def _require_ipvs() -> None:
    """Raise KernelUnavailable where the kernel's IPVS cannot be used: then nothing is begun."""
    from piranha.system.kernel_ipvs import KernelPath

    KernelPath()


def _has_ipvs() -> bool:
    """Say whether the kernel can be used; that it cannot is told by lvs, which goes on without."""
    from piranha.system.ipvs_socket import KernelUnavailable

    try:
        _require_ipvs()
    except KernelUnavailable:
        return False
    return True


def main() -> None:
    """Run the command."""
    pulse()


if __name__ == "__main__":
    main()

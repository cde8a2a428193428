"""`piranha show`: what an lvs.cf means, for a person, as JSON, or as the IPVS table that it asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from piranha.cli import meaning, sources
from piranha.config.check_kinds import CheckKind
from piranha.config.extensions import Extensions
from piranha.config.load import Loaded, load, token_of
from piranha.config.model import Address, Cluster, HostName
from piranha.config.outside import LIMIT_S, NameTrouble, chosen
from piranha.errors import ConfigUnavailable
from piranha.ipvs.ipvsadm import rules_of
from piranha.paths import Paths
from piranha.system import piranha_toml
from piranha.system.outside import resolve

if TYPE_CHECKING:
    from piranha.cli.main import Session

_TROUBLES = {
    NameTrouble.NOT_FOUND: "was not found",
    NameTrouble.FAILED: "could not be looked up: the resolver failed",
    NameTrouble.SILENT: f"was not answered within {LIMIT_S} seconds",
}


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--ipvsadm", "as_rules", is_flag=True, help="The IPVS table, in the format of ipvsadm-save -n.")
@click.option(
    "--resolve", "looks_up", is_flag=True, help="With --ipvsadm: look host names up, in 5 seconds at the most."
)
@click.pass_obj
def show(session: "Session", file: Path | None, as_json: bool, as_rules: bool, looks_up: bool) -> None:
    """Show what the lvs.cf FILE means: effective values, and which of them are defaults.

    Without FILE it is the lvs.cf of this machine, with the checks that its piranha.toml names; - is standard input. No
    engine is needed. Exit code 1: the file cannot be read, or with --ipvsadm: it has errors that stop an Apply.
    """
    if as_json and as_rules:
        raise click.UsageError("Give either --json or --ipvsadm.")
    if looks_up and not as_rules:
        raise click.UsageError("--resolve goes with --ipvsadm.")
    source = sources.read(file or session.paths.lvs_cf)
    loaded = load(source.text, source.encoding)
    if as_rules:
        _tell_rules(source.name, loaded, looks_up)
    elif as_json:
        told = {"file": source.name, "token": token_of(source.raw), "cluster": plain(loaded.cluster)}
        told["faults"] = msgspec.to_builtins(loaded.faults)
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        kinds = {} if file is not None else _kinds(session.paths)
        click.echo(meaning.of_file(source.name, token_of(source.raw), loaded, kinds))


def _kinds(paths: Paths) -> Mapping[str, CheckKind]:
    try:
        return (piranha_toml.load(paths) or Extensions()).checks.kinds
    except ConfigUnavailable as problem:
        click.echo(f"({problem} The checks that it may name are not shown.)", err=True)
        return {}


def plain(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster as JSON has it: the names of `config.model`, and what follows from them.

    Addresses are texts. `effective_primary_private` and `effective_backup_private` are what is used for heartbeats;
    `is_in_force` says of a virtual server that it is active and of the selected kind.
    """
    told: dict[str, Any] = msgspec.to_builtins(cluster, enc_hook=str)
    private = (cluster.effective_primary_private, cluster.effective_backup_private)
    told["effective_primary_private"], told["effective_backup_private"] = (
        str(each) if each else None for each in private
    )
    in_force = {virtual.id for virtual in cluster.active_virtual_servers}
    for virtual in told["virtual_servers"]:
        virtual["is_in_force"] = virtual["id"] in in_force
    return told


def _tell_rules(name: str, loaded: Loaded, looks_up: bool) -> None:
    resolved = _resolved(loaded.cluster) if looks_up else None
    rules = rules_of(loaded.cluster, resolved)
    if rules.lines:
        click.echo("\n".join(rules.lines))
    for path, reason in rules.left_out:
        advice = " Use --resolve, or write its address." if reason.endswith("was not looked up.") else ""
        click.echo(f"# {path} is left out: {reason}{advice}", err=True)
    stopping = [fault for fault in loaded.faults if fault.stops_apply]
    for fault in stopping:
        click.echo(f"# {fault.located(name)}", err=True)
    if stopping:
        click.echo(f"# {name} has errors: Apply refuses it, and the table above is not what it asks for.", err=True)
        raise click.exceptions.Exit(1)


def _resolved(cluster: Cluster) -> Mapping[HostName, Address]:
    hosts = [virtual.address.host for virtual in cluster.active_virtual_servers if virtual.address is not None]
    hosts += [
        server.address
        for virtual in cluster.active_virtual_servers
        for server in virtual.servers
        if server.is_active and server.address is not None
    ]
    answers = resolve({host for host in hosts if isinstance(host, str)})
    for name, answer in answers.items():
        if isinstance(answer, NameTrouble):
            click.echo(f"# The name {name} {_TROUBLES[answer]}.", err=True)
    found = {name: chosen(answer) for name, answer in answers.items()}
    return {name: address for name, address in found.items() if address is not None}

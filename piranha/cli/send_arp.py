"""The command `send_arp`: tell the neighbours where an address is, by one frame. Its four arguments are the original's.

The original took TARGET_IP and ignored it: the address that an announcement asks for is the one that it tells of.
"""

import sys
from ipaddress import IPv4Address, ip_address
from typing import Any, NoReturn

import click

from piranha.config.model import Address, HostName
from piranha.config.outside import NameTrouble, chosen
from piranha.errors import PiranhaError
from piranha.ipvs.addresses import LABEL_MAX
from piranha.system import arp, arp_frames, outside

USAGE = "Usage: send_arp [-i DEV] SRC_IP SRC_MAC TARGET_IP TARGET_MAC"


class _Command(click.Command):
    """A command that answers wrong use with exit status 1, as the original did."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.Abort:
            sys.exit(1)
        except click.exceptions.Exit as exit_:
            sys.exit(exit_.exit_code)
        except click.UsageError as error:
            click.echo(f"{USAGE}\nsend_arp: {error.format_message()}", err=True)
            sys.exit(1)
        except click.ClickException as error:
            click.echo(f"send_arp: {error.format_message()}", err=True)
            sys.exit(1)
        sys.exit(0)


@click.command(
    cls=_Command,
    name="send_arp",
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[-i DEV]",
)
@click.option("-i", "device", metavar="DEV", default="eth0", show_default=True, help="The interface to send it on.")
@click.option("--request", is_flag=True, help="Send the request form, which changes a Linux neighbour at once.")
@click.version_option(package_name="piranha-lvs", prog_name="send_arp")
@click.argument("words", nargs=-1, metavar="SRC_IP SRC_MAC TARGET_IP TARGET_MAC")
def main(device: str, request: bool, words: tuple[str, ...]) -> None:
    """Tell the neighbours on DEV that SRC_IP is at SRC_MAC, by one ARP reply; for IPv6, one neighbour advertisement.

    SRC_IP is an address or a name. SRC_MAC and TARGET_MAC are 12 hexadecimal digits, with or without colons; the
    frame goes to TARGET_MAC, ffffffffffff for all neighbours. TARGET_IP is taken and ignored, as it always was.

    Needs root, or the capability CAP_NET_RAW. Exit status: 0 sent; 1 not sent, or wrong use.
    """
    if len(words) != 4:
        raise click.UsageError(f"4 arguments are needed, {len(words)} were given.")
    base = device.partition(":")[0]
    if not (0 < len(base) <= LABEL_MAX and base.isascii() and base.isprintable()):
        raise click.UsageError(f"{device!r} is no interface: its name has 1 to {LABEL_MAX} characters.")
    source_mac, target_mac = _mac("SRC_MAC", words[1]), _mac("TARGET_MAC", words[3])
    source = _address(words[0])
    try:
        arp.send(base, _frame(source, source_mac, target_mac, request))
    except PiranhaError as error:
        raise click.ClickException(str(error)) from error


def _frame(source: Address, source_mac: bytes, target_mac: bytes, request: bool) -> bytes:
    if not isinstance(source, IPv4Address):
        return arp_frames.encode_advertisement(source, source_mac, destination=target_mac)
    operation, about_mac = (arp_frames.REQUEST, bytes(6)) if request else (arp_frames.REPLY, source_mac)
    return arp_frames.encode_arp(arp_frames.Arp(operation, source_mac, source, about_mac, source, target_mac))


def _mac(argument: str, text: str) -> bytes:
    mac = arp_frames.mac_from(text)
    if mac is None:
        raise click.UsageError(
            f"{argument} {text!r} is no hardware address. Write 12 hexadecimal digits, with or without colons."
        )
    return mac


def _address(text: str) -> Address:
    """Return the address that a word is or is the name of, IPv4 before IPv6."""
    try:
        return ip_address(text)
    except ValueError:
        pass
    answer = outside.resolve([HostName(text)])[HostName(text)] if text else NameTrouble.NOT_FOUND
    address = chosen(answer)
    if address is None:
        raise click.ClickException(
            f"The name {text!r} was not found. Write the address, or tell the resolver the name."
        )
    return address


if __name__ == "__main__":
    main()

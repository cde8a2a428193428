"""Makes `.htaccess` files for the referee: plain ones in every spelling, and ones with a line that is odd or wrong."""

import ipaddress
import random
from collections.abc import Callable
from dataclasses import dataclass, field

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

BASES = ("10.0.0.0", "10.1.2.3", "172.16.57.9", "192.168.1.100", "192.0.2.129", "203.0.113.255", "0.0.0.10")
BASES_6 = ("2001:db8::1", "2001:db8:57:1::5", "fe80::1", "fd00:1:2:3::", "2001:db8:ffff::ffff")
ELSEWHERE = ("198.51.100.7", "2001:db8:9::9", "11.0.0.1", "::ffff:10.1.2.3")

ODD_LINES = (
    "Allow from {network} # the boss",
    "Allow from {network} #",
    "Deny from {network}#x",
    "Order deny, allow",
    "Order allow , deny",
    "Order deny,allow {network}",
    "Order sometimes",
    "Order",
    'Order ""',
    "Allow {network}",
    "Allow from",
    "Deny",
    "Deny from {network} 10.256",
    "Deny from 256",
    "Allow from 10.0.0.1.1",
    "Allow from 10..1",
    "Allow from .10",
    "Allow from 10/8",
    "Allow from 10.0/16",
    "Allow from 10.0.0.0/33",
    "Allow from 10.0.0.0/0",
    "Allow from 0.0.0.0/0",
    "Deny from 0.0.0.0/0.0.0.0",
    "Deny from ::/0",
    "Deny from 10.0.0.0/",
    "Deny from 10.0.0.0/8/8",
    "Deny from 10.0.0.0/8x",
    "Deny from 10.0.0.0/255.255",
    "Deny from 10.0.0.0/255.0.0.256",
    "Deny from 10.0.0.0./8",
    "Deny from 10.0.0.0/24.",
    "Deny from 2001:db8::/129",
    "Deny from 2001:db8::/ffff::",
    "Deny from 2001:db8::/255.255.0.0",
    "Deny from ::ffff:10.1.2.3",
    "Deny from ::ffff:0:0/96",
    "Deny from fe80::1%lo",
    "Deny from [2001:db8::1]",
    "Deny from 2001:db8::g",
    "Deny from 1:2:3:4:5:6:7:8:9",
    "Deny from /8",
    "Deny from all/8",
    "Deny from 167772161",
    "Require",
    "Require ip",
    'Require ip ""',
    "Require ip all",
    "Require ip {network} 10/8",
    "Require ip {network} # the boss",
    "Require ip {network},",
    "Require IP {network}",
    "Require ALL granted",
    "Require all",
    "Require all maybe",
    "Require all granted granted",
    'Require all "granted"',
    'Require "all granted"',
    "Require not ip {network}",
    "Require Not all denied",
    "Require valid-user",
    "Require nobody-knows-this",
    "Satisfy",
    "Satisfy sometimes",
    "Satisfy all all",
    "Allow\N{NO-BREAK SPACE}from {network}",
    "\N{NO-BREAK SPACE}Deny from {network}",
    "Allow from\x1c{network}",
    "\N{ZERO WIDTH NO-BREAK SPACE}Order allow,deny",
    "Nonsense {network}",
    "\\",
    "<",
    ">",
    "<Limit GET>",
    "</Limit>",
    "Deny from 10.0.0.1 \\\n\n10.0.0.2",
    "Deny from 10.0.0.1\\ \n10.0.0.2",
    "Deny from 10.0.0.1 {blanks} 10.0.0.2",
    # What Apache understands and we do not take.
    "Allow from {network} router.example.com",
    "Deny from .example.com",
    "Deny from al",
    'Deny from ""',
    "Deny from {network}\\\\",
    "Deny from 0x0a000001",
    "Deny from env=LET_ME_IN",
    "Allow from env=!LET_ME_IN",
    "Deny from 10.0.0.1/0.0.0.255",
    "Deny from 10.0.0.0/255.0.255.0",
    "Deny from 010.1",
    "Deny from 10.0.0.0/08",
    "Deny from 10.0.0.0/+8",
    "Require ip 10.0.0.01",
    "Require local",
    "Require host router.example.com",
    "Require method GET",
    "Require env LET_ME_IN",
    "Require expr true",
    "Satisfy any",
    "AuthMerging Off",
    "LimitRequestBody 0",
    "<Limit GET>\nDeny from {network}\n</Limit>",
    "<IfModule nobody_has_it>\nNonsense\n</IfModule>",
    "<RequireAll>\nRequire all granted\nRequire not ip {network}\n</RequireAll>",
    '"" anything',
    'Deny from "{network}',
    "Allow from {network}\0 nonsense",
    "\0",
)


@dataclass(slots=True)
class Made:
    """A file and the clients to ask about."""

    text: bytes
    clients: list[str]


@dataclass(slots=True)
class Writer:
    """Writes one file after another; the same seed, the same files."""

    random: random.Random
    _networks: list[Network] = field(default_factory=list)

    def file(self, clients: int) -> Made:
        """Return one file, with as many clients on and beside the boundaries of its networks."""
        self._networks = []
        lines = [self._line() for _ in range(self.random.choice((1, 2, 2, 3, 3, 4, 5, 7)))]
        if self.random.random() < 0.3:
            odd = self.random.choice(ODD_LINES).format(network=self._network(), blanks=" " * 8200)
            lines.insert(self.random.randrange(len(lines) + 1), odd)
        end = self.random.choice(("\n", "\n", "\n", "\r\n"))
        text = end.join(line.replace("\n", end) for line in lines) + self.random.choice((end, end, ""))
        return Made(text.encode(), self._clients(clients))

    def _line(self) -> str:
        makers: tuple[tuple[Callable[[], str], int], ...] = (
            (self._order, 5),
            (self._list, 10),
            (self._require, 4),
            (lambda: "Satisfy all", 1),
            (
                lambda: self.random.choice(
                    ("", "  \t", "# Allow from all", "  #Deny from all", "# c \\\nDeny from all")
                ),
                3,
            ),
        )
        chosen: Callable[[], str] = self.random.choices([make for make, _ in makers], [often for _, often in makers])[0]
        return self._indented(chosen())

    def _order(self) -> str:
        order = self.random.choice(("deny,allow", "allow,deny", "mutual-failure", "Deny,Allow", "ALLOW,DENY"))
        return self._spaced([self._cased("Order"), self._quoted(order)])

    def _list(self) -> str:
        name = self.random.choice(("Allow", "Deny"))
        return self._spaced([self._cased(name), self._cased("from"), *self._items(all_too=True)])

    def _require(self) -> str:
        if self.random.random() < 0.3:
            words = [self._cased("Require"), "all", self._cased(self.random.choice(("granted", "denied")))]
            return self._spaced(words)
        return self._spaced([self._cased("Require"), self._quoted("ip"), *self._items(all_too=False)])

    def _items(self, *, all_too: bool) -> list[str]:
        items = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            is_all = all_too and self.random.random() < 0.25
            items.append(self._cased("all") if is_all else self._quoted(self._network()))
        return items

    def _network(self) -> str:
        """Return a network in one of its spellings, and remember it."""
        if self.random.random() < 0.25:
            address = self.random.choice(BASES_6)
            prefix = self.random.choice((128, 64, 48, 32, 10, 127, 1, 65))
            self._networks.append(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
            text = address if prefix == 128 else f"{address}/{prefix}"
            return text.upper() if self.random.random() < 0.3 else text
        address = self.random.choice(BASES)
        kind = self.random.choice(("whole", "partial", "prefix", "mask"))
        if kind == "whole":
            self._networks.append(ipaddress.ip_network(address))
            return address
        if kind == "partial":
            count = self.random.choice((1, 2, 3))
            octets = ".".join(address.split(".")[:count])
            self._networks.append(ipaddress.ip_network(f"{address}/{8 * count}", strict=False))
            return octets + self.random.choice(("", "", "."))
        network = ipaddress.ip_network(f"{address}/{self.random.choice((32, 31, 24, 26, 20, 16, 8, 1))}", strict=False)
        self._networks.append(network)
        return f"{address}/{network.prefixlen if kind == 'prefix' else network.netmask}"

    def _clients(self, count: int) -> list[str]:
        asked: list[str] = []
        for network in self._networks:
            first, last = network[0], network[-1]
            asked += [str(first), str(last), str(self._inside(network))]
            asked += [
                str(kind(at))
                for kind, at in ((type(first), int(first) - 1), (type(last), int(last) + 1))
                if _is(kind, at)
            ]
        self.random.shuffle(asked)
        asked = asked[: count - 3] + list(ELSEWHERE)
        return [*[*dict.fromkeys(asked)][: count - 1], self.random.choice(("127.0.0.1", "::1"))]

    def _inside(self, network: Network) -> Address:
        return network[self.random.randrange(network.num_addresses)]

    def _cased(self, word: str) -> str:
        return self.random.choice((word, word, word.lower(), word.upper(), word.swapcase()))

    def _quoted(self, word: str) -> str:
        quote = self.random.choice(("", "", "", "", '"', "'"))
        return f"{quote}{word}{quote}"

    def _spaced(self, words: list[str]) -> str:
        line = words[0]
        for word in words[1:]:
            line += (
                self.random.choices((" ", "\t", "   ", " \\\n", "\\\n \t", "\v", " \f "), (40, 3, 3, 2, 2, 1, 1))[0]
                + word
            )
        if self.random.random() < 0.05:
            at = self.random.randrange(len(line))
            line = f"{line[:at]}\\\n{line[at:]}"
        return line

    def _indented(self, line: str) -> str:
        return self.random.choice(("", "", "", "  ", "\t")) + line + self.random.choice(("", "", "", " ", "\t "))


def _is(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], number: int) -> bool:
    return 0 <= number < 1 << (32 if kind is ipaddress.IPv4Address else 128)

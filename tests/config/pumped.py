"""Texts of n pieces of one nasty shape: what a bug, a script gone wild or an attacker may leave in lvs.cf."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

Shape = Callable[[int], str]

_VIRTUAL = "virtual v{0} {{\n     active = 1\n     address = 10.1.0.1 eth0:1\n     port = {0}\n}}\n"
_SERVER = "     server s{0} {{\n         address = 10.0.0.1\n         active = 1\n     }}\n"


def _each(line: str, before: str = "", behind: str = "") -> Shape:
    """Repeat lines; {0} in them is the number."""
    if "{0}" in line:
        return lambda n: before + "".join(line.format(number) for number in range(n)) + behind
    return lambda n: before + line * n + behind


def _long(piece: str, before: str = "", behind: str = "\n") -> Shape:
    """Repeat a piece on one line; eight of them count as one, a character is cheaper than a line."""
    return lambda n: before + piece * (8 * n) + behind


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "real servers": _each(_SERVER, "virtual v {\n     active = 1\n     port = 80\n", "}\n"),
        "virtual servers": _each(_VIRTUAL),
        "same names": _each("virtual v {\n}\n"),
        "same names of real servers": _each("server s {\n}\n", "virtual v {\n", "}\n"),
        "same address": _each("virtual v{0} {{\n active = 1\n address = 10.1.0.1 eth0:1\n}}\n"),
        "same firewall mark": _each("virtual v{0} {{\n active = 1\n fwmark = 7\n persistent = {0}\n}}\n"),
        "same real server": _each(_SERVER.replace("s{0}", "s"), "virtual v {\n     active = 1\n", "}\n"),
        "port after every server": _each("server s{0} {{\n}}\nport = {0}\n", "virtual v {\n", "}\n"),
        "ports, then servers": lambda n: "virtual v {\n" + "port = 80\n" * n + "server s {\n}\n" * n + "}\n",
        "unclosed virtual servers": _each("virtual v{0} {{\n"),
        "unclosed nests": _each("virtual v {\nserver s {\n"),
        "servers outside": _each("server s{0} {{\n"),
        "closing braces": _each("}\n"),
        "closing braces with more": _each("} } server x {\n", "virtual v {\n"),
        "headers without a brace": _each("virtual v\n"),
        "one header without a brace": _each("# note\n", "virtual v\n"),
        "headers and comments": _each("virtual v\n# note\n"),
        "headers and blank lines": _each("virtual v\n \t \n"),
        "brace far below": _each("# note\n\n", "virtual v\n", "{\n}\n"),
        "words behind a brace": _each("virtual v { x { y\n"),
        "comments": _each("# note {0}\n"),
        "comments above a block": _each("# note\n", "", "virtual v {\n}\n"),
        "blank lines": _each(" \t \n"),
        "duplicates": _each("keepalive = 6\n"),
        "unknown keywords": _each("colour{0} = red\n"),
        "faults": _each("keepalive = x{0}\n"),
        "faults in blocks": _each("virtual v{0} {{\n active = 2\n port = x\n}}\n"),
        "no equals sign": _each("keepalive 6\n"),
        "not understood": _each("?{0}\n"),
        "open quotes": _each('send = "a\n', "virtual v {\n"),
        "trailing comments": _each("keepalive = 6 # six\n"),
        "carriage returns": _each("keepalive = 6\r"),
        "NUL": _each("a\0b = 1\n"),
        "line of blanks": _long(" ", "keepalive ="),
        "line of blanks before a word": _long(" ", "", "x\n"),
        "line of quotes": _long('"', "send = ", "\n"),
        "line of quoted words": _long('"a" ', "virtual v {\nsend = "),
        "line of quoted blanks": _long('" " ', "virtual v {\nsend = "),
        "line of apostrophes": _long("'a ", "virtual v {\nsend = "),
        "line of words": _long("a ", "virtual v {\nsend = "),
        "line of words with equals signs": _long("a = "),
        "line of glued lines": _long("a port = a", 'virtual v {\nsend = "', '"\n'),
        "line of open braces": _long("{", "virtual v "),
        "line of braces": _long("{}", "virtual v "),
        "line of open braces and blanks": _long("{ ", "virtual v "),
        "line of open braces and comments": _long("{ # ", "virtual v "),
        "line of open braces, words and comments": _long("{ x # ", "virtual v "),
        "line of blanks behind a brace": _long(" ", "virtual v {", "x\n"),
        "line of comments": _long("# ", "keepalive = 6 "),
        "line of quoted comments": _long('"a" # ', "virtual v {\nexpect = "),
        "lost headers": _each("sever q {\n", "virtual v {\n"),
        "lost settings": _each("virtual=v{0} {{\n"),
        "cut blocks": _each("virtual v {\n}\nport = 80\n}\n"),
        "quoted braces": _each("virtual v '{'\n\"}\"\n"),
        "line of backslashes": _long("\\", 'virtual v {\nsend = "'),
        "line of escapes": _long("\\d", 'virtual v {\nsend = "', '"\n'),
        "line of escaped quotes": _long('\\"', 'virtual v {\nsend = "', '"\n'),
        "line of parentheses": _long("(", 'virtual v {\nactive = 1\nuse_regex = 1\nexpect = "', '"\n'),
        "line of stars": _long("(a*)*", 'virtual v {\nactive = 1\nuse_regex = 1\nexpect = "', '"\n'),
        "line of digits": _long("9", "keepalive = "),
        "line of zeros": _long("0", "keepalive = "),
        "line of numbers and dots": _long("1.", "primary = "),
        "line of labels": _long("a.", "primary = ", "1\n"),
        "line of colons": _long(":", "primary = "),
        "line of letters": _long("a", ""),
        "list": _long("/a ", "virtual v {\ndirs = [ ", "]\n"),
        "list that never ends": _long("[ ", "virtual v {\ndirs = "),
        "name of brackets": _long("[", "virtual ", " {\n"),
        "name of quotes": _long('"', "virtual ", " {\n"),
        "name of quoted words": _long('"a" ', "virtual ", " {\n"),
    }
)
"""Name -> a function from n to a text that is n times as long as for 1, or so."""

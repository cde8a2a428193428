"""The conversation with the kernel, against a kernel that is played: it answers each write as it is told."""

import errno
import struct
from collections.abc import Callable

import pytest

from piranha.system import ipvs_module, ipvs_socket
from piranha.system.ipvs_socket import DUMP_TRIES, ORDERS_AT_ONCE, IpvsSocket, KernelUnavailable

NEW_SERVICE, GET_SERVICE, GET_INFO = 1, 4, 15
FAMILY = 28

Request = tuple[int, int, int, int, bytes]
"""Kind, flags, sequence, command (0 without one), attributes."""
Answer = bytes | OSError


def message(kind: int, sequence: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) % 4)


def verdict(sequence: int, code: int = 0) -> bytes:
    return message(2, sequence, struct.pack("=i", -code) + bytes(16))


def done(sequence: int, code: int = 0) -> bytes:
    return message(3, sequence, struct.pack("=i", -code))


def told(sequence: int, attributes: bytes, flags: int = 0) -> bytes:
    return message(FAMILY, sequence, bytes(4) + attributes, flags)


def family(sequence: int, number: int = FAMILY) -> bytes:
    return message(16, sequence, bytes(4) + struct.pack("=HH8s HHH2x", 12, 2, b"IPVS", 6, 1, number))


def requests_of(data: bytes) -> list[Request]:
    found, place = [], 0
    while place < len(data):
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, place)
        found.append((kind, flags, sequence, data[place + 16] if length > 16 else 0, data[place + 20 : place + length]))
        place += (length + 3) & ~3
    return found


class Kernel:
    """It plays the socket: `answer` turns the requests of one write into datagrams, or errors, that are read."""

    def __init__(self, answer: Callable[[list[Request]], list[Answer]]) -> None:
        self.answer = answer
        self.families = [FAMILY]
        self.writes: list[list[Request]] = []
        self.waiting: list[Answer] = []
        self.opened = 0

    def send(self, data: bytes) -> None:
        requests = requests_of(data)
        if requests[0][0] == 16:
            number = self.families.pop(0) if len(self.families) > 1 else self.families[0]
            sequence = requests[0][2]
            self.waiting.append(family(sequence, number) if number else verdict(sequence, errno.ENOENT))
            return
        self.writes.append(requests)
        self.waiting += self.answer(requests)

    def recv(self, size: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        answer = self.waiting.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self) -> None:
        self.waiting.clear()


def connected(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[list[Request]], list[Answer]]
) -> tuple[IpvsSocket, Kernel]:
    kernel = Kernel(answer)

    def opened(self: IpvsSocket) -> Kernel:
        kernel.opened += 1
        return kernel

    monkeypatch.setattr(IpvsSocket, "_opened", opened)
    return IpvsSocket(loads_module=False), kernel


def refusing(codes: dict[int, int]) -> Callable[[list[Request]], list[Answer]]:
    """Return a kernel that refuses orders by what their attributes begin with."""

    def answer(requests: list[Request]) -> list[Answer]:
        said: list[Answer] = []
        for _, _, sequence, command, attributes in requests:
            if not command or codes.get(attributes[0]):
                said.append(verdict(sequence, codes[attributes[0]] if command else 0))
        return said

    return answer


def test_orders_go_out_in_batches_of_one_write_and_only_an_empty_message_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    socket, kernel = connected(monkeypatch, refusing({}))
    assert socket.take([(NEW_SERVICE, bytes([1, 0, 0, 0]))] * (ORDERS_AT_ONCE + 1)) == [0] * (ORDERS_AT_ONCE + 1)
    assert [len(write) for write in kernel.writes] == [ORDERS_AT_ONCE + 1, 2]
    for write in kernel.writes:
        assert [(kind, flags) for kind, flags, *_ in write[:-1]] == [(FAMILY, 1)] * (len(write) - 1)
        assert write[-1][:2] == (1, 5)
        assert len({sequence for _, _, sequence, *_ in write}) == len(write)


def test_nothing_to_order_is_no_write(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, kernel = connected(monkeypatch, refusing({}))
    assert socket.take([]) == []
    assert kernel.writes == []


def test_each_order_has_its_own_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, _ = connected(monkeypatch, refusing({2: errno.EEXIST, 4: errno.ENOENT}))
    orders = [(NEW_SERVICE, bytes([kind, 0, 0, 0])) for kind in (1, 2, 3, 4)]
    assert socket.take(orders) == [0, errno.EEXIST, 0, errno.ENOENT]


def test_an_answer_that_comes_late_is_not_taken_for_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, _ = connected(
        monkeypatch, lambda requests: [verdict(1, errno.EPERM), *(verdict(each[2]) for each in requests if not each[3])]
    )
    assert socket.take([(NEW_SERVICE, b"")]) == [0]


@pytest.mark.parametrize(
    ("failure", "code"),
    [(BlockingIOError(errno.EAGAIN, ""), errno.ETIMEDOUT), (OSError(errno.ENOBUFS, ""), errno.ENOBUFS)],
)
def test_orders_without_an_answer_are_refused_and_the_next_ones_have_a_new_socket(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, code: int
) -> None:
    socket, kernel = connected(monkeypatch, lambda requests: [verdict(requests[0][2], errno.EEXIST), failure])
    assert socket.take([(NEW_SERVICE, b""), (NEW_SERVICE, b"")]) == [errno.EEXIST, code]
    kernel.answer = refusing({})
    assert socket.take([(NEW_SERVICE, bytes(4))]) == [0]
    assert kernel.opened == 2


def test_a_dump_is_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(requests: list[Request]) -> list[Answer]:
        number = requests[0][2]
        return [
            told(number, b"aaaa") + told(number, b"bbbb"),
            told(number - 1, b"old!") + told(number, b"cccc"),
            done(number),
        ]

    socket, kernel = connected(monkeypatch, answer)
    assert [data[start:end] for data, start, end in socket.dump(GET_SERVICE)] == [b"aaaa", b"bbbb", b"cccc"]
    assert [(flags, command) for _, flags, _, command, _ in kernel.writes[0]] == [(0x301, GET_SERVICE)]


@pytest.mark.parametrize("kind", ["flag", "done", "error", "socket"])
def test_a_disturbed_dump_is_made_again(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def answer(requests: list[Request]) -> list[Answer]:
        number = requests[0][2]
        if len(kernel.writes) == 1:
            disturbed: dict[str, Answer] = {
                "flag": told(number, b"half", 0x12),
                "done": done(number, errno.EINTR),
                "error": verdict(number, errno.EBUSY),
                "socket": OSError(errno.ENOBUFS, ""),
            }
            return [told(number, b"part"), disturbed[kind]]
        return [told(number, b"full"), done(number)]

    socket, kernel = connected(monkeypatch, answer)
    assert [data[start:end] for data, start, end in socket.dump(GET_SERVICE)] == [b"full"]


def test_a_dump_that_is_disturbed_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, kernel = connected(monkeypatch, lambda requests: [done(requests[0][2], errno.EINTR)])
    with pytest.raises(KernelUnavailable, match="changed again and again"):
        socket.dump(GET_SERVICE)
    assert len(kernel.writes) == DUMP_TRIES


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (verdict(2, errno.EPERM), "CAP_NET_ADMIN"),
        (BlockingIOError(errno.EAGAIN, ""), "does not answer"),
        (verdict(2, errno.EIO), "EIO"),
    ],
    ids=["no right", "no answer", "another"],
)
def test_what_cannot_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str) -> None:
    for question in ("dump", "ask"):
        socket, kernel = connected(monkeypatch, lambda requests: [answer])
        with pytest.raises(KernelUnavailable, match=words):
            getattr(socket, question)(GET_INFO)
        assert len(kernel.writes) == 1


def test_after_the_module_was_loaded_anew_its_new_number_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(requests: list[Request]) -> list[Answer]:
        kind, _, number, *_ = requests[0]
        return (
            [verdict(number, errno.ENOENT)]
            if kind == FAMILY
            else [message(31, number, bytes(4) + b"full"), done(number)]
        )

    socket, kernel = connected(monkeypatch, answer)
    kernel.families = [31]
    assert [data[start:end] for data, start, end in socket.dump(GET_SERVICE)] == [b"full"]
    kernel.families = [FAMILY]
    socket.find_family()
    kernel.families = [31]
    data, start, end = socket.ask(GET_INFO)
    assert data[start:end] == b"full"


def test_a_kernel_without_ipvs_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, kernel = connected(monkeypatch, refusing({}))
    kernel.families = [0]
    with pytest.raises(KernelUnavailable, match=r"no IPVS.*modprobe ip_vs.*--data-path embedded"):
        socket.find_family()


def test_nothing_is_ordered_while_there_is_no_ipvs(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, kernel = connected(monkeypatch, refusing({}))
    kernel.families = [0]
    for _ in range(2):
        with pytest.raises(KernelUnavailable):
            socket.find_family()
    for question in (lambda: socket.take([(NEW_SERVICE, bytes(4))]), lambda: socket.dump(GET_SERVICE)):
        with pytest.raises(KernelUnavailable):
            question()
    assert kernel.writes == []
    kernel.families = [FAMILY + 2]
    assert socket.take([(NEW_SERVICE, bytes([1, 0, 0, 0]))]) == [0]
    assert kernel.writes[0][0][0] == FAMILY + 2


def test_the_module_is_loaded_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    socket, kernel = connected(monkeypatch, refusing({}))
    loaded: list[str] = []

    def load(module: str) -> str:
        loaded.append(module)
        kernel.families = [FAMILY + 1]
        return ""

    monkeypatch.setattr(ipvs_module, "load", load)
    kernel.families = [0, 0]
    with pytest.raises(KernelUnavailable):
        socket.find_family()
    assert loaded == []
    kernel.families = [0]
    assert IpvsSocket(loads_module=True).take([(NEW_SERVICE, bytes(4))]) == [0]
    assert loaded == ["ip_vs"]


def test_a_machine_without_generic_netlink_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: object) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "")

    monkeypatch.setattr(ipvs_socket.socket, "socket", refused)
    with pytest.raises(KernelUnavailable, match="no generic netlink"):
        IpvsSocket(loads_module=False)

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from controller.gateway.outbox import LARGE, Outbox


class Written:
    """Stands for transports and connections: what was written, in order, by whom."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []
        self.soon: list[Callable[[], None]] = []
        self.outbox = Outbox(self.soon.append)

    def turn(self) -> None:
        """The loop comes round."""
        called, self.soon[:] = list(self.soon), []
        for call in called:
            call()


class Connection:
    def __init__(self, name: str, written: Written) -> None:
        self.name, self.written, self.closing = name, written, False

    def write_request(self) -> None:
        self.written.log.append((self.name, b"request"))

    def write(self, data: bytes) -> None:
        self.written.log.append((self.name, data))

    def is_closing(self) -> bool:
        return self.closing


def test_nothing_is_written_before_the_turn_ends_and_requests_first_then() -> None:
    written = Written()
    client, other, engine = (Connection(name, written) for name in ("client", "other", "engine"))
    written.outbox.send_answer(cast("Any", client), b"head")
    written.outbox.send_request(engine)
    written.outbox.send_answer(cast("Any", other), b"whole")
    written.outbox.send_answer(cast("Any", client), b"piece")
    assert (written.log, len(written.soon)) == ([], 1)
    written.turn()
    assert written.log == [("engine", b"request"), ("client", b"head"), ("other", b"whole"), ("client", b"piece")]
    written.turn()
    assert len(written.log) == 4


def test_a_large_piece_is_written_at_once_behind_what_came_before() -> None:
    written = Written()
    client, engine = Connection("client", written), Connection("engine", written)
    written.outbox.send_answer(cast("Any", client), b"head")
    written.outbox.send_request(engine)
    written.outbox.send_answer(cast("Any", client), large := b"x" * (LARGE + 1))
    assert written.log == [("engine", b"request"), ("client", b"head"), ("client", large)]


def test_what_comes_after_a_flush_is_written_in_its_turn() -> None:
    written = Written()
    client = Connection("client", written)
    written.outbox.send_answer(cast("Any", client), b"1")
    written.outbox.flush()
    assert written.log == [("client", b"1")]
    written.outbox.send_answer(cast("Any", client), b"2")
    written.turn()
    assert written.log == [("client", b"1"), ("client", b"2")]


def test_what_is_sent_while_others_are_written_waits_for_the_next_turn() -> None:
    written = Written()

    class Failing(Connection):
        def write_request(self) -> None:
            super().write_request()
            written.outbox.send_answer(cast("Any", Connection("client", written)), b"error")
            written.outbox.send_request(Connection("second", written))

    written.outbox.send_request(Failing("first", written))
    written.outbox.flush()
    written.turn()
    assert [name for name, _ in written.log] == ["first", "client", "second"] or [name for name, _ in written.log] == [
        "first",
        "second",
        "client",
    ]


def test_a_client_that_has_gone_gets_nothing() -> None:
    written = Written()
    client = Connection("client", written)
    written.outbox.send_answer(cast("Any", client), b"1")
    client.closing = True
    written.turn()
    assert written.log == []


class Failing(Connection):
    """Not written after all: what has to be done about it is added meanwhile."""

    def write_request(self) -> None:
        self.written.outbox.send_request(Connection("another engine", self.written))
        self.written.outbox.send_answer(cast("Any", Connection("told", self.written)), b"problem")


def test_what_is_added_while_it_writes_is_written_too_and_nothing_waits_for_ever() -> None:
    written = Written()
    written.outbox.send_request(Failing("engine", written))
    written.outbox.send_answer(cast("Any", Connection("client", written)), b"answer")
    written.turn()
    assert written.log == [("client", b"answer"), ("told", b"problem"), ("another engine", b"request")]
    written.outbox.send_request(Connection("later", written))
    written.turn()
    assert written.log[-1] == ("later", b"request")


class Broken(Connection):
    def write_request(self) -> None:
        raise LookupError("a bug")

    def write(self, data: bytes) -> None:
        raise LookupError("a bug")


def test_what_raises_costs_nobody_else() -> None:
    written = Written()
    for name in ("a", "b"):
        written.outbox.send_request(Connection(name, written))
        written.outbox.send_request(Broken("bad", written))
        written.outbox.send_answer(cast("Any", Broken("bad", written)), b"lost")
        written.outbox.send_answer(cast("Any", Connection(name, written)), b"answer")
    for _ in range(10):
        with suppress(LookupError):
            written.turn()
    assert written.log == [("a", b"request"), ("b", b"request"), ("a", b"answer"), ("b", b"answer")]

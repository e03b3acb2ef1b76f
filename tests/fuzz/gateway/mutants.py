"""Defects put into the gateway on purpose: a search that does not find them would find nothing."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from controller.gateway import framing
from controller.gateway.answer import AnswerBody
from controller.gateway.chunks import ChunkBorders
from controller.gateway.client_connection import ClientConnection
from controller.gateway.exchange import Exchange
from controller.gateway.pool import Pool
from controller.gateway.timers import TimerWheel
from controller.gateway.upstream import UpstreamConnection
from controller.qos.manager import QoSManager

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutant:
    """A defect: what it is in words, how it is put in, and what the judge says of it."""

    name: str
    put: Callable[[Patch], None]
    shown_by: str

    def shows(self, error: BaseException) -> bool:
        """Whether an error tells of this defect."""
        found = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        return any(re.search(self.shown_by, str(each)) for each in found)


def _does_nothing(owner: Any, name: str) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, lambda *_, **__: None)


def _takes_all(patch: Patch) -> None:
    taken = AnswerBody.feed

    def feed(self: AnswerBody, piece: bytes) -> int:
        taken(self, piece)
        return len(piece)

    patch.setattr(AnswerBody, "feed", feed)


def _between_events_always(patch: Patch) -> None:
    patch.setattr(AnswerBody, "between_events", property(lambda _: True))


def _chunks_of_any_length(patch: Patch) -> None:
    def inside(self: ChunkBorders, piece: bytes, at: int, _found: object) -> int:
        end = min(len(piece), at + self._left)
        self._left -= end - at
        return end

    patch.setattr(ChunkBorders, "_inside", inside)


def _any_header(patch: Patch) -> None:
    patch.setattr(framing, "_FIELDS", re.compile(rb"(?s:.*)"))


def _answered_twice(patch: Patch) -> None:
    answered = ClientConnection.answered

    def twice(self: ClientConnection) -> None:
        exchange = self.exchange
        answered(self)
        if exchange is not None and exchange.failed_at:
            exchange.cancelled()

    patch.setattr(ClientConnection, "answered", twice)


def _gone_is_forgotten(patch: Patch) -> None:
    cancelled = QoSManager.cancel
    patch.setattr(
        QoSManager, "cancel", lambda self, request, now: None if request.dispatched else cancelled(self, request, now)
    )


MUTANTS = (
    Mutant(
        "a client that goes is not told to the dispatcher",
        _does_nothing(Exchange, "cancelled"),
        "are under way",
    ),
    Mutant("a seat is lost with the client that had it", _gone_is_forgotten, "are under way"),
    Mutant("what an engine sends beyond its answer is passed on", _takes_all, "what is no answer"),
    Mutant(
        "an event is put into the midst of a chunk",
        _between_events_always,
        "what is no answer|the loop was told.*Malformed",
    ),
    Mutant("a chunk may be longer than it says", _chunks_of_any_length, "what is no answer"),
    Mutant("a header may be anything", _any_header, "what is no answer|what is no request|the loop was told"),
    Mutant(
        "an engine is read although its client does not read",
        _does_nothing(UpstreamConnection, "pause"),
        "waited for one client",
    ),
    Mutant("a request has two outcomes", _answered_twice, "the loop was told|came and|not in deque|outcomes"),
    Mutant(
        "who has gone is connected for all the same",
        _does_nothing(Pool, "withdraw"),
        "the loop was told|wait for a connection|in flight",
    ),
    Mutant("connections at rest are never closed", _does_nothing(Pool, "trim"), "left open"),
    Mutant("no wait ends", _does_nothing(TimerWheel, "turn"), "still counted|seats taken|in flight"),
    Mutant("bodies are held for ever", _does_nothing(ClientConnection, "_release"), "still counted"),
)

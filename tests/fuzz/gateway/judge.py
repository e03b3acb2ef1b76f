"""What has to hold: after each step, and once everybody has left."""

import httptools

from controller.gateway.configuration import Limits
from tests.controller.gateway.conservation import left_over
from tests.fuzz.gateway.site import LIMITS, MAXIMUM, Site
from tests.fuzz.gateway.wire import PIECE


class Violated(AssertionError):
    """Something that has to hold does not."""


class Judge:
    """Remembers what was in flight and allowed before: seats may go while they are taken, by a reload or with an engine."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._before: dict[str, int] = {}

    def after_step(self) -> None:
        """Raises Violated."""
        site = self._site
        if site.loop.wrong:
            raise Violated(f"the loop was told: {site.loop.wrong[0]}")
        qos = site.gateway.statistics().qos
        for key, one in qos.partitions.items():
            if one.in_flight > max(one.seats, self._before.get(key, 0)):
                raise Violated(f"{key} has {one.in_flight} requests in flight on {one.seats} seats")
            self._before[key] = max(one.seats, one.in_flight)
        under_way = sum(one.in_flight + sum(one.queued.values()) for one in qos.models.values())
        there = sum(not wire.lost for wire in site.clients)
        if under_way > there:
            raise Violated(f"{under_way} requests are under way for {there} clients")
        gemma = qos.models.get("team-a/gemma")
        if gemma is not None and gemma.in_flight > MAXIMUM:
            raise Violated(f"team-a/gemma has {gemma.in_flight} in flight, {MAXIMUM} at most")
        for wire in site.clients:
            if wire.most_unread > LIMITS.buffer_bytes + PIECE + Limits().head_bytes:
                raise Violated(f"{wire.most_unread} bytes waited for one client")

    def after_all(self) -> None:
        """Raises Violated. Before, everybody has left and every wait has ended."""
        self.after_step()
        site = self._site
        found = left_over(site.gateway)
        if found:
            raise Violated("; ".join(found))
        if site.draining is not None and not site.draining.done():
            raise Violated("the gateway's orderly end has none")
        if site.gateway.statistics().connections:
            raise Violated("clients are still counted that have left")
        if site.arrived != site.outcomes.total():
            raise Violated(f"{site.arrived} requests came and {site.outcomes.total()} outcomes were counted")
        for wire in site.clients:
            if b"HEAD " not in wire.arrived:  # whose answers have a length and no body: the parser is not told of which
                _read_answers(bytes(wire.written))
        for wire in site.engines:
            _read_requests(bytes(wire.written))
            if not wire.lost:
                raise Violated("a connection to an engine was left open")


class _Seen:
    def __init__(self) -> None:
        self.wholes = 0

    def on_message_complete(self) -> None:
        self.wholes += 1


def _read_answers(written: bytes) -> None:
    """Whatever came of engines, a client reads HTTP; an answer may be cut off, and then nothing follows it."""
    try:
        httptools.HttpResponseParser(_Seen()).feed_data(written)
    except httptools.HttpParserError as error:
        raise Violated(f"a client got what is no answer: {error}: {written[-300:]!r}") from error


def _read_requests(written: bytes) -> None:
    """Whatever came of clients, an engine reads whole requests, one after the other."""
    seen = _Seen()
    try:
        httptools.HttpRequestParser(seen).feed_data(written)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise Violated(f"an engine got what is no request: {error}: {written[-300:]!r}") from error
    if written and not seen.wholes:
        raise Violated(f"an engine got half a request: {written[-300:]!r}")

"""The product's dispatcher as one of the policies. Pure."""

import random
from typing import Final

from controller.qos.manager import QoSManager
from controller.qos.refusal import Refusal
from controller.qos.request import Request
from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings
from tests.benchmarks.gateway.hour.policies import PARTITIONS, QUEUE_SECONDS, Begin
from tests.benchmarks.gateway.hour.trace import CLASSES, TRAFFIC, Arrival

_QUEUE_LENGTH: Final = 1_000_000
"""No bound: the other policies have none."""


class Ours:
    """`QoSManager` with the classes as they are usual, and a minimum for the best one's models. `deadlines`: requests say until when their first token is of use."""

    def __init__(self, begin: Begin, seats: int, *, deadlines: bool) -> None:
        self._begin = begin
        self._deadlines = deadlines
        self._requests: dict[int, Request] = {}
        self._manager = QoSManager(
            _settings(seats),
            0.0,
            on_dispatch=self._dispatched,
            on_refuse=self._refused,
            jitter=random.Random(42).random,
        )

    def arrive(self, arrival: Arrival, now: float) -> None:
        """A request is there."""
        traffic = arrival.traffic
        request = Request(
            traffic.model,
            arrival.tenant,
            traffic.qos_class,
            arrival.prompt,
            None,  # clients seldom say how long an answer they will get
            now,
            now + traffic.answer_within if self._deadlines else None,
            arrival,
        )
        self._requests[id(arrival)] = request
        self._manager.arrive(request, now)

    def first_token(self, arrival: Arrival, partition: int, now: float) -> None:
        """The first of its answer."""
        self._manager.first_byte(self._requests[id(arrival)], now)

    def complete(self, arrival: Arrival, partition: int, now: float) -> None:
        """A request is done."""
        request = self._requests.pop(id(arrival))
        self._manager.complete(request, now, prompt_tokens=arrival.prompt, output_tokens=arrival.output)

    def advance(self, now: float) -> float | None:
        """Timeouts, starvation."""
        return self._manager.advance(now)

    def _dispatched(self, request: Request, member: Member) -> None:
        assert isinstance(request.payload, Arrival)
        self._begin(request.payload, int(member.endpoint.rpartition("/")[2]))

    def _refused(self, request: Request, _: Refusal) -> None:
        del self._requests[id(request.payload)]


def _settings(seats: int) -> QoSSettings:
    return QoSSettings(
        classes=tuple(QoSClass(name, rank) for rank, name in enumerate(CLASSES)),
        models={
            traffic.model: ModelSettings(
                traffic.model,
                traffic.qos_class,
                minimum=traffic.minimum,
                queue_length=_QUEUE_LENGTH,
                queue_timeout=QUEUE_SECONDS,
            )
            for traffic in TRAFFIC
        },
        partitions={
            f"node-0/0000:05:00.0/{number}": PartitionSettings(
                f"node-0/0000:05:00.0/{number}",
                tuple(Member(f"{traffic.model}/{number}", traffic.model, seats) for traffic in TRAFFIC),
                seats,
            )
            for number in range(PARTITIONS)
        },
    )

"""Histories of a dispatcher: settings and steps as plain numbers, so that they can be drawn, shrunk and played again."""

from dataclasses import dataclass

from controller.qos.settings import LimitSettings, Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings
from tests.controller.qos.ledger import Ledger

CLASSES = (
    QoSClass("realtime", 0, 8, 1.0),
    QoSClass("standard", 1, 4, 3.0),
    QoSClass("express", 1, 2, 3.0),  # of the same rank
    QoSClass("batch", 2, 1, 6.0),
)
OTHER_CLASSES = (QoSClass("batch", 0, 1, 2.0), QoSClass("standard", 5, 4, 3.0), QoSClass("realtime", 7, 8, 1.0))
Step = tuple[int, int, int, int]
"""(what, and three numbers that choose among what there is)."""


@dataclass(frozen=True)
class Drawn:
    """Settings as numbers: of each model (class, minimum, maximum above it or 0, queue length, timeout, headroom, weight),
    of each partition its seats (0: all) and, of each model, the seats of its pods (negative: not Ready)."""

    models: tuple[tuple[int, int, int, int, int, int, int], ...]
    partitions: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]
    every: int
    adaptive: bool
    others: bool
    """Whether the classes are the other ones."""

    def settings(self) -> QoSSettings:
        names = [f"team/m{at}" for at in range(len(self.models))]
        classes = OTHER_CLASSES if self.others else CLASSES
        models = {
            name: ModelSettings(
                name,
                classes[of % len(classes)].name,
                minimum,
                None if maximum == 0 else max(1, minimum + maximum - 1),
                queue_length=length,
                queue_timeout=float(timeout),
                headroom=min(headroom, minimum),
                weight=weight,
            )
            for name, (of, minimum, maximum, length, timeout, headroom, weight) in zip(names, self.models, strict=True)
        }
        partitions = {
            f"p{at}": PartitionSettings(
                f"p{at}",
                tuple(
                    Member(f"p{at}-{name}-{number}", name, abs(pod), pod > 0)
                    for name, pods in zip(names, of_models, strict=False)
                    for number, pod in enumerate(pods)
                ),
                seats or None,
            )
            for at, (seats, of_models) in enumerate(self.partitions)
        }
        return QoSSettings(
            classes, models, partitions, starvation_every=self.every, limit=LimitSettings(adaptive=self.adaptive)
        )


def play(drawn: list[Drawn], steps: list[Step]) -> Ledger:
    """Do the steps one after the other; Broken at the first rule that does not hold."""
    ledger = Ledger(drawn[0].settings())
    for what, a, b, c in steps:
        _step(ledger, drawn, what % 100, a, b, c)
    return ledger


def _step(ledger: Ledger, drawn: list[Drawn], what: int, a: int, b: int, c: int) -> None:
    if what < 45:
        _arrive(ledger, a, b, c)
    elif what < 90 and what >= 82:
        ledger.advance((0.01, 0.3, 1.0, 2.5)[a % 4])
    elif what < 97 and what >= 95:
        ledger.configure(drawn[a % len(drawn)].settings())
    elif what >= 97:
        ledger.now += (0.3, 1.0)[a % 2]  # and nobody tells the manager
    elif ledger.flying:
        _in_flight(ledger, what, a, b)
    elif ledger.waiting:
        ledger.cancel(ledger.waiting[a % len(ledger.waiting)])


def _arrive(ledger: Ledger, a: int, b: int, c: int) -> None:
    models = list(ledger.settings.models)
    qos_class = (None, None, "batch", "realtime", "express")[b % 5]
    deadline = ledger.now + (c % 90 - 10) / 10 if c % 3 == 0 else None
    ledger.arrive(models[a % len(models)], "xyz"[b // 5 % 3], qos_class, 1 + c % 500, deadline)


def _in_flight(ledger: Ledger, what: int, a: int, b: int) -> None:
    request = list(ledger.flying)[a % len(ledger.flying)]
    if what < 72:
        ledger.complete(request, b % 400 if b % 2 else None, overloaded=b % 20 == 0)
    elif what < 75:
        ledger.first_byte(request)
    elif what < 79:
        ledger.give_back(request, frozenset({ledger.flying[request]}) | ledger.avoided.get(request, frozenset()))
    elif what < 82 or not ledger.waiting:
        ledger.cancel(request)
    else:
        ledger.cancel(ledger.waiting[b % len(ledger.waiting)])

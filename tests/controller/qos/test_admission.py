"""Who is let wait, who is refused with which status, and who leaves a full queue."""

import pytest

from controller.qos.manager import QoSManager
from controller.qos.refusal import LONGEST_RETRY_AFTER, STATUS, refusal, retry_after
from controller.qos.request import DONE, Request
from controller.qos.settings import ModelSettings, QoSSettings
from tests.controller.qos.ledger import Ledger
from tests.controller.qos.simulation import CLASSES, Arrival, Simulation, partition


def reasons(ledger: Ledger) -> list[str]:
    return [why.reason for _, why in ledger.refused]


def full(length: int, **changed: object) -> Ledger:
    """One seat, taken, and a queue of that length."""
    ledger = Ledger(partition(1, ModelSettings("a", "standard", queue_length=length, **changed)))  # type: ignore[arg-type]
    ledger.arrive("a", tenant="first")
    return ledger


def test_a_queue_of_no_length_lets_nobody_wait() -> None:
    ledger = full(0)
    ledger.arrive("a")
    assert reasons(ledger) == ["QueueFull"]
    assert ledger.refused[0][1].status == 429


def test_a_better_class_pushes_out_the_last_one_of_the_worst() -> None:
    ledger = full(3)
    ledger.arrive("a", "x", "batch")
    last = ledger.arrive("a", "x", "batch")
    ledger.arrive("a", "x", "standard")
    ledger.arrive("a", "y", "realtime")
    assert [(one, why.reason) for one, why in ledger.refused] == [(last, "Shed")]


def test_an_equal_or_worse_class_does_not() -> None:
    ledger = full(2)
    for name in ("standard", "standard", "standard", "batch"):
        ledger.arrive("a", "x", name)
    assert reasons(ledger) == ["QueueFull", "QueueFull"]


def test_a_tenant_that_filled_the_queue_makes_room_for_another_one() -> None:
    ledger = full(4)
    for _ in range(6):
        ledger.arrive("a", "loud")
    quiet = [ledger.arrive("a", "quiet") for _ in range(3)]
    assert reasons(ledger) == ["QueueFull", "QueueFull", "Shed", "Shed", "QueueFull"]
    assert [one in ledger.waiting for one in quiet] == [True, True, False]


def test_a_deadline_that_the_queue_cannot_meet_is_refused_at_once() -> None:
    ledger = full(100)
    for _ in range(4):
        ledger.now += 1.0
        ledger.first_byte(next(iter(ledger.flying)))
        ledger.complete(next(iter(ledger.flying)))
        ledger.arrive("a")
    for _ in range(9):
        ledger.arrive("a")
    ledger.arrive("a", tenant="late", deadline=ledger.now + 2.5)
    ledger.arrive("a", tenant="t", deadline=ledger.now + 30)
    assert reasons(ledger) == ["DeadlineUnreachable"]
    assert ledger.refused[0][1].retry_after == pytest.approx(1.25 * 2.0, rel=0.3)


def test_a_model_that_was_slow_once_is_believed_to_be_fast_when_nothing_contradicts() -> None:
    ledger = full(10)
    ledger.now += 60.0
    ledger.first_byte(next(iter(ledger.flying)))
    ledger.complete(next(iter(ledger.flying)))
    ledger.arrive("a", deadline=ledger.now + 1.0)
    assert reasons(ledger) == []


def test_a_deadline_that_has_passed_is_refused() -> None:
    ledger = full(10)
    ledger.arrive("a", deadline=ledger.now - 0.1)
    assert reasons(ledger) == ["DeadlineUnreachable"]


def test_who_cannot_begin_in_time_is_refused_when_its_turn_comes() -> None:
    ledger = full(10)
    ledger.arrive("a", tenant="x", deadline=3.0)
    behind = ledger.arrive("a", tenant="y")
    ledger.now = 4.0
    ledger.complete(next(iter(ledger.flying)))
    assert reasons(ledger) == ["DeadlineExceeded"]
    assert ledger.refused[0][1].status == 504
    assert behind in ledger.flying


def test_deadlines_order_a_tenants_requests() -> None:
    model = ModelSettings("a", "standard")
    deadlines = [50.0, 20.0, None, 30.0]
    arrivals = [Arrival(0.0, "a", "first", seconds=1.0)]
    arrivals += [Arrival(0.1, "a", deadline=one, tokens=at) for at, one in enumerate(deadlines)]
    order = Simulation(partition(1, model)).run(arrivals).order
    assert [one.deadline for one in order[1:]] == [20.0, 30.0, 50.0, None]


def test_who_waits_too_long_is_refused_at_its_time() -> None:
    ledger = full(10, queue_timeout=5.0)
    ledger.arrive("a")
    assert ledger.manager.advance(1.0) == pytest.approx(5.0)
    ledger.advance(5.0)
    assert reasons(ledger) == ["QueueTimeout"]
    assert ledger.manager.advance(6.0) is None


def test_a_model_without_ready_pods_is_503_and_those_who_wait_go_on_waiting() -> None:
    ledger = full(10)
    waits = ledger.arrive("a")
    told = QoSSettings(CLASSES, ledger.settings.models)
    ledger.configure(told)
    assert reasons(ledger) == []
    ledger.arrive("a")
    assert [(why.reason, why.status) for _, why in ledger.refused] == [("NoEndpoint", 503)]
    ledger.configure(partition(2, *ledger.settings.models.values()))
    assert waits in ledger.flying


def test_who_waits_for_a_model_that_is_gone_is_refused() -> None:
    ledger = full(10)
    ledger.arrive("a")
    ledger.configure(QoSSettings(CLASSES))
    assert reasons(ledger) == ["UnknownModel"]
    ledger.complete(next(iter(ledger.flying)))


def test_an_unknown_class_is_named_with_those_there_are() -> None:
    ledger = full(10)
    ledger.arrive("a", qos_class="gold")
    assert ledger.refused[0][1].message == "no class gold: ask for one of realtime, standard, batch"


def test_retry_after_is_spread_and_bounded() -> None:
    told = [retry_after(seconds, jitter) for seconds in (0.0, 4.0, 500.0) for jitter in (0.0, 0.999)]
    assert told == pytest.approx([1.0, 1.5, 4.0, 6.0, 20.0, 30.0], abs=0.02)
    assert max(told) <= LONGEST_RETRY_AFTER


def test_every_reason_has_a_status() -> None:
    assert {refusal(reason, "").status for reason in STATUS} == {429, 503, 504}
    with pytest.raises(KeyError):
        refusal("Whatever", "")


def test_calls_that_cannot_be_are_errors() -> None:
    manager = QoSManager(
        partition(1, ModelSettings("a", "standard")), 0.0, on_dispatch=lambda *_: None, on_refuse=lambda *_: None, jitter=lambda: 0.0
    )  # fmt: skip
    request = Request("a", "t", "standard", 1, None, 0.0)
    for call in (manager.complete, manager.first_byte):
        with pytest.raises(ValueError, match="only one in flight can"):
            call(request, 0.0)
    manager.arrive(request, 0.0)
    with pytest.raises(ValueError, match="it can once"):
        manager.arrive(request, 0.0)
    manager.complete(request, 1.0)
    manager.cancel(request, 1.0)  # the client left when all was over
    assert request.state == DONE
    with pytest.raises(ValueError, match="is given back"):
        manager.give_back(request, 1.0, avoid=frozenset())
    assert manager.statistics().models["a"].cancelled == 0

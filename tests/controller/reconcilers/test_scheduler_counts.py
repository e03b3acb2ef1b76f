"""What the scheduler's reconcilers count and time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.placement.steps import Steps, finished
from controller.reconcilers import scheduler_counts
from controller.reconcilers.scheduler_counts import OPERATIONS, Eviction, SchedulerCounts, Timed
from controller.repartition.phases import TERMINAL
from controller.telemetry.instruments import SCHEDULER_EVICTIONS, SCHEDULER_OPERATIONS
from tests.architecture.source import files
from tests.fakes.clock import FakeClock
from tests.fakes.counted import Counted

PAIRS = {(operation, result) for operation, results in OPERATIONS.items() for result in results}


def counted_in(path: Path) -> Iterator[tuple[str, str]]:
    """The pairs that a file counts by `count` or `operation`; a result that is worked out is every text in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or len(node.args) != 2:
            continue
        operation, result = node.args
        if node.func.attr not in ("count", "operation") or not isinstance(operation, ast.Constant):
            continue
        texts = [each.value for each in ast.walk(result) if isinstance(each, ast.Constant) and each.value]
        for text in texts or [phase.value for phase in TERMINAL]:
            yield str(operation.value), str(text)


def test_what_is_counted_anywhere_is_declared_and_what_is_declared_is_counted_somewhere() -> None:
    assert {pair for path in files("controller/reconcilers") for pair in counted_in(path)} == PAIRS


def test_everything_that_may_happen_has_its_zero() -> None:
    counted = Counted()
    counted.counts().declare()
    zeros = {(instrument, labels) for instrument, amount, labels in counted.events if amount == 0}
    operations = {(SCHEDULER_OPERATIONS, pair) for pair in PAIRS}
    assert zeros == operations | {(SCHEDULER_EVICTIONS, (reason.value,)) for reason in Eviction}
    assert len(counted.events) == len(zeros)


def test_each_operation_counts_once() -> None:
    counted = Counted()
    counted.counts().operation("bind", "success")
    assert counted.of(SCHEDULER_OPERATIONS) == [("bind", "success")]


def test_a_pod_that_is_asked_to_leave_again_is_evicted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler_counts, "MOST_REMEMBERED", 2)
    counted = Counted()
    counts = counted.counts()
    for uid in ("a", "a", "b", "a", "c", "b"):
        counts.evicted(Eviction.UNHEALTHY, uid)
    counts.evicted(Eviction.ROLLOUT, "a")  # so long ago that it is forgotten
    assert counted.of(SCHEDULER_EVICTIONS) == [("Unhealthy",)] * 3 + [("Rollout",)]


def test_work_is_timed_from_its_first_step_to_its_end_with_its_pauses() -> None:
    clock, counts = FakeClock(), SchedulerCounts()

    def work() -> Steps[str]:
        clock.tick(1)
        yield
        clock.tick(2)
        return "found"

    assert finished(counts.timed(Timed.LAYOUTS, work(), clock)) == "found"
    sums = {labels: row.sum for labels, row in counts.seconds.rows()}
    assert sums == {("cycle",): 0.0, ("layouts",): 3.0, ("explain",): 0.0}


def test_work_that_is_broken_off_is_not_timed() -> None:
    counts = SchedulerCounts()

    def work() -> Steps[None]:
        yield
        raise RuntimeError

    timed = counts.timed(Timed.CYCLE, work(), FakeClock())
    next(timed)
    with pytest.raises(RuntimeError):
        next(timed)
    closed = counts.timed(Timed.CYCLE, work(), FakeClock())
    next(closed)
    closed.close()
    assert all(not any(row.counts) for _, row in counts.seconds.rows())

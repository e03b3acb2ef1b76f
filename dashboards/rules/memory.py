"""Alerts on memory of GPUs that runs out, and on models that take another amount than they were given."""

from typing import Final

from controller.placement.gangs import DOES_NOT_FIT
from controller.reconcilers.gpu_partition_claim.autoscaler import HELPED
from controller.telemetry.instruments import (
    MODEL_MEMORY_ESTIMATE,
    MODEL_MEMORY_OBSERVED,
    SCHEDULER_ALLOCATION,
    SCHEDULER_PENDING,
)
from dashboards.promql import highest, lowest, one_of, total
from dashboards.rules.expressions import of_leader, on
from dashboards.rules.pace import Pace
from dashboards.rules.recording import MEMORY_USED
from dashboards.rules.rule import Alert, Group, Severity

#: Engines plan with 95 % of a partition (controller.binding.isolation) and take some more beside: of the largest
#: partitions up to 96 % is usual, and more is taken by something that nobody planned.
NEARLY: Final = 0.97
#: What is left of the smallest partition, 24 GiB, is one allocation of an engine's working memory.
EXHAUSTED: Final = 0.99
#: One reading may be a moment's peak. Another one, at least so long before it and so long before that at most, is none.
_APART_SECONDS: Final = 60.0
_LOOP_SECONDS: Final = 600.0
#: A claim that waits while so much is given away needs another GPU, or somebody to leave.
ALLOCATED: Final = 0.95

_PROFILE: Final = ("profile", "model")
_PARTITION: Final = (
    "partition {{ $labels.partition }} of GPU {{ $labels.gpu }} on node {{ $labels.node }}"
    "{{ with $labels.pod }}, held by pod {{ $labels.namespace }}/{{ . }},{{ end }}"
)
NEARLY_EXHAUSTED: Final = Alert(
    name="AimGpuMemoryNearlyExhausted",
    severity=Severity.WARNING,
    expression=f"{MEMORY_USED} > {NEARLY}",
    seconds=600,
    summary="A GPU partition has hardly any memory left",
    description="{{ $value | humanizePercentage }} of the memory of " + _PARTITION + " has been in use for ten "
    "minutes, more than engines plan with: the next allocation may fail.",
)


def memory(pace: Pace) -> Group:
    """Memory that runs out, and models that were sized wrong."""
    alerts = (NEARLY_EXHAUSTED, _all_used(pace), _capacity(pace), _underestimated(pace), _overestimated(pace))
    return Group("memory", alerts)


def _observed(pace: Pace) -> str:
    return highest(of_leader(pace, MODEL_MEMORY_OBSERVED), _PROFILE)


def _all_used(pace: Pace) -> Alert:
    # An engine that finds no memory ends, and what it had is free again at once: in a loop of restarts readings of a
    # full partition lie apart.
    before = f"max_over_time({MEMORY_USED}[{pace.text(_LOOP_SECONDS)}] offset {pace.text(_APART_SECONDS)})"
    return Alert(
        name="AimGpuMemoryExhausted",
        severity=Severity.CRITICAL,
        expression=f"({MEMORY_USED} > {EXHAUSTED}) and ({before} > {EXHAUSTED})",
        seconds=0,
        keep_seconds=_LOOP_SECONDS,
        summary="A GPU partition has no memory left",
        description="{{ $value | humanizePercentage }} of the memory of " + _PARTITION + " is in use, as it was before "
        "within ten minutes: engines there fail, or are about to.",
    )


def _capacity(pace: Pace) -> Alert:
    held = highest(of_leader(pace, SCHEDULER_ALLOCATION), ("product",))
    # For room: a quota, a model that no GPU could hold or another gate does not become less by more GPUs.
    waiting = total(of_leader(pace, SCHEDULER_PENDING, reason=one_of(*sorted(HELPED), DOES_NOT_FIT)), ())
    return Alert(
        name="AimGpuCapacityExhausted",
        severity=Severity.WARNING,
        expression=f"({held} > {ALLOCATED}) and {on(())} ({waiting} > 0)",
        seconds=900,
        summary="GPUs of a product are all given away while claims wait",
        description="{{ $value | humanizePercentage }} of the usable memory of all {{ $labels.product }} is held, "
        "and claims have been waiting for room for 15 minutes.",
    )


def _underestimated(pace: Pace) -> Alert:
    most = lowest(of_leader(pace, MODEL_MEMORY_ESTIMATE, bound="most"), _PROFILE)
    return Alert(
        name="AimModelMemoryUnderestimated",
        severity=Severity.WARNING,
        expression=f"{_observed(pace)} > {on(_PROFILE)} {most}",
        seconds=900,
        summary="Engines of a model take more memory than its claims ask for",
        description="Engines of {{ $labels.model }}, ModelProfile {{ $labels.profile }}, were seen to take "
        "{{ $value | humanize1024 }}B, more than its largest claim asks for: new ones may get partitions that are "
        "too small.",
    )


def _overestimated(pace: Pace) -> Alert:
    least = highest(of_leader(pace, MODEL_MEMORY_ESTIMATE, bound="least"), _PROFILE)
    return Alert(
        name="AimModelMemoryOverestimated",
        severity=Severity.INFO,
        expression=f"{_observed(pace)} < {on(_PROFILE)} {least}",
        seconds=900,
        summary="Engines of a model take less memory than its weights and runtime are sized at",
        description="Engines of {{ $labels.model }}, ModelProfile {{ $labels.profile }}, were seen to take "
        "{{ $value | humanize1024 }}B at most, less than weights and runtime alone are sized at: they may hold "
        "larger partitions than they need.",
    )

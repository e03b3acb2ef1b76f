"""Alerts on claims that find no place, and on free memory that none of them could use."""

from typing import Final

from controller.telemetry.instruments import SCHEDULER_ALLOCATION, SCHEDULER_FRAGMENTATION, SCHEDULER_OLDEST_PENDING
from dashboards.promql import CLUSTER, Matching, highest, top
from dashboards.rules.expressions import of_leader, on
from dashboards.rules.pace import Pace
from dashboards.rules.rule import Alert, Group, Severity

#: A claim that an idle GPU is divided for has its place within five minutes, and a change that moves pods drains them
#: for ten at most.
WAITS_SECONDS: Final = 900.0
#: Leaves out claims that somebody wants to wait: a gate that is not ours is on their pods, a queue's for example.
OTHER_GATE: Final = Matching("!=", "WaitingForGate")
#: Of two free bytes the expected next claim could use one at most.
FRAGMENTED: Final = 0.5
#: With less than a tenth free little is lost, however it lies.
FULL: Final = 0.9

_PRODUCT: Final = ("product",)


def scheduling(pace: Pace) -> Group:
    """Who waits, and what is in pieces."""
    return Group("scheduling", (_wait(pace), _fragmented(pace)))


def _wait(pace: Pace) -> Alert:
    oldest = highest(of_leader(pace, SCHEDULER_OLDEST_PENDING, reason=OTHER_GATE), ("namespace",))
    return Alert(
        name="AimClaimsWait",
        severity=Severity.WARNING,
        expression=f"{oldest} > {pace.number(WAITS_SECONDS)}",
        seconds=60,
        summary="A claim has been waiting for a GPU partition for a quarter of an hour",
        description="A claim in namespace {{ $labels.namespace }} has been waiting for a partition for "
        f"{{{{ $value | humanizeDuration }}}}{_reason(pace)}.",
    )


def _reason(pace: Pace) -> str:
    """Why the claim waits that the alert speaks of: asked for, as with a label for it each reason is another alert."""
    oldest = top(1, of_leader(pace, SCHEDULER_OLDEST_PENDING, namespace="%s", reason=OTHER_GATE))
    asked = oldest.replace("{", f'{{{CLUSTER}="%s", ')
    found = f"{{{{ with printf `{asked}` $labels.cluster $labels.namespace | query }}}}"
    return found + ': {{ . | first | label "reason" }}{{ end }}'


def _fragmented(pace: Pace) -> Alert:
    pieces = highest(of_leader(pace, SCHEDULER_FRAGMENTATION), _PRODUCT)
    held = highest(of_leader(pace, SCHEDULER_ALLOCATION), _PRODUCT)
    return Alert(
        name="AimGpuMemoryFragmented",
        severity=Severity.WARNING,
        expression=f"({pieces} > {FRAGMENTED}) and {on(_PRODUCT)} ({held} < {FULL})",
        seconds=3600,
        summary="Most of a product's free GPU memory is in pieces that the next claim could not use",
        description="For an hour the expected next claim could not have used {{ $value | humanizePercentage }} of the "
        "free memory of all {{ $labels.product }}.",
    )

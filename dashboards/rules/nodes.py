"""Alerts on nodes whose agent is silent, and on partitions and GPUs that broke."""

from typing import Final

from controller.telemetry.instruments import (
    AGENT_HARDWARE_READABLE,
    AGENT_INFO,
    AGENT_UP,
    NODE_PARTITIONS_UNHEALTHY,
    PARTITION_HEALTH,
)
from dashboards.promql import SOME, highest, lowest
from dashboards.rules.expressions import of_leader, on, series
from dashboards.rules.pace import Pace
from dashboards.rules.recording import HOLDER
from dashboards.rules.rule import Alert, Group, Severity

_NODE: Final = ("node",)
_READ: Final = highest(series(AGENT_INFO), _NODE)
_HELD: Final = lowest(series(PARTITION_HEALTH, claim=SOME), HOLDER)
_READABLE: Final = lowest(series(AGENT_HARDWARE_READABLE), _NODE)
#: An agent that cannot read its GPUs vouches for none of their partitions: that is told once, for the node.
_UNLESS_UNREADABLE: Final = f"unless {on(_NODE)} ({_READABLE} == 0)"


def nodes(pace: Pace) -> Group:
    """What is the matter with nodes."""
    return Group("nodes", (_lost(pace), _not_scraped(pace), _held_is_broken(), _broken(pace), _unreadable()))


def _up(pace: Pace) -> str:
    return highest(of_leader(pace, AGENT_UP), _NODE)


def _lost(pace: Pace) -> Alert:
    return Alert(
        name="AimNodeAgentLost",
        severity=Severity.WARNING,
        expression=f"{_up(pace)} == 0",
        # Longer than a handover, for which a node that was taken away goes on being what it was at last.
        seconds=300,
        summary="A node's agent is silent",
        description="The agent of node {{ $labels.node }} does not renew its Lease: nothing new is placed there, "
        "no mode is changed, and nobody knows how its GPUs are. What runs there goes on.",
    )


def _not_scraped(pace: Pace) -> Alert:
    return Alert(
        name="AimNodeAgentNotScraped",
        severity=Severity.WARNING,
        # An agent that is started anew, or moves to another port, is read again within some scrapes.
        expression=f"({_up(pace)} == 1) unless {on(_NODE)} {_READ}",
        seconds=600,
        summary="Nobody reads the metrics of a node's agent",
        description="The agent of node {{ $labels.node }} renews its Lease, and Prometheus has not had its metrics "
        "for ten minutes: alerts on memory and health of partitions there are silent.",
    )


def _held_is_broken() -> Alert:
    return Alert(
        name="AimGpuPartitionUnhealthy",
        severity=Severity.CRITICAL,
        expression=f"({_HELD} == 0) {_UNLESS_UNREADABLE}",
        seconds=60,
        summary="A model's GPU partition is broken",
        description="Partition {{ $labels.partition }} of GPU {{ $labels.gpu }} on node {{ $labels.node }} is "
        "unhealthy, and claim {{ $labels.namespace }}/{{ $labels.claim }} of model {{ $labels.model }} has it.",
    )


def _broken(pace: Pace) -> Alert:
    unhealthy = highest(of_leader(pace, NODE_PARTITIONS_UNHEALTHY), _NODE)
    return Alert(
        name="AimNodePartitionsUnhealthy",
        severity=Severity.WARNING,
        expression=f"({unhealthy} > 0) {_UNLESS_UNREADABLE}",
        seconds=300,
        summary="A node has GPU partitions that are broken or missing",
        description="GPU partitions of node {{ $labels.node }} that are unhealthy or missing: {{ $value }}. "
        "Nothing new is placed on them.",
    )


def _unreadable() -> Alert:
    return Alert(
        name="AimGpuHardwareUnreadable",
        severity=Severity.WARNING,
        expression=f"{_READABLE} == 0",
        seconds=300,
        summary="An agent cannot read its node's GPUs",
        description="The agent of node {{ $labels.node }} lives and has not been able to read its GPUs for five "
        "minutes: health and use of its partitions are unknown, and no mode is changed there.",
    )

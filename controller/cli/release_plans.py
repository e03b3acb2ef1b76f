"""Changes of modes that are under way when an installation goes.

Until a plan comes to the hardware it can be left where it stands: nothing was changed. From there on its end needs
the operator: it sees that the modes are right, restarts AMD's plugins, goes back where they are not. So a release
begins by waiting for those, while there is an operator that takes them on. What an agent does is waited for in either
case: agents go next, and one that is stopped while it reloads a driver leaves a node without GPUs. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from controller.repartition.phases import HARDWARE, NOT_BEGUN, TERMINAL, Phase

REMEDY: Final = "wait for it, or give --leave-plans to go on regardless"

_CLOSING: Final = "Closing"
_ENDED: Final = ("Succeeded", "Failed")

Object = Mapping[str, Any]


def at_hardware(plans: Iterable[Object]) -> list[Object]:
    """Plans that only the operator ends well: the hardware may differ, or AMD's plugins are to be restarted."""
    return [plan for plan in plans if _phase(plan) in HARDWARE or _closing(plan)]


def ordered(nodes: Iterable[Object]) -> list[Object]:
    """GPUNodes whose agent is to change modes and has not said that it ended."""
    return [node for node in nodes if _order(node) and not _done(node)]


def told(plan: Object) -> str:
    """Where a plan stands, as a clause."""
    said = plan["status"].get("message", "")
    where = f"RepartitionPlan {_name(plan)} of node {plan['spec']['node']} is at {_stands(plan)}"
    return f"{where} ({said})" if said else where


def working(node: Object) -> str:
    """What an agent is at, as a clause."""
    progress = node.get("status", {}).get("operation") or {}
    step = progress.get("step", "") if progress.get("id") == _order(node) else ""
    return f"the agent of node {_name(node)} changes modes{f', at {step}' if step else ''}"


def left(plans: Iterable[Object]) -> Iterator[str]:
    """A line for each plan that has begun and has nobody now who goes on with it."""
    for plan in plans:
        phase = _phase(plan)
        if plan["spec"].get("dryRun") or phase in NOT_BEGUN or (phase in TERMINAL and not _closing(plan)):
            continue
        where = f"RepartitionPlan {_name(plan)} is left at {_stands(plan)}"
        if plan in at_hardware([plan]):
            node = plan["spec"]["node"]
            yield (
                f"{where}: AMD's plugins on node {node} may advertise its former partitions; install again, which goes "
                "on with the plan, or restart those plugins yourself"
            )
        else:
            yield f"{where}: nothing was changed; the next installation goes on with it, or ends it when it is too late"


def _name(one: Object) -> str:
    return str(one["metadata"]["name"])


def _phase(plan: Object) -> Phase:
    return Phase(plan.get("status", {}).get("phase", Phase.PENDING))


def _stands(plan: Object) -> str:
    return _CLOSING if _closing(plan) else _phase(plan).value


def _closing(plan: Object) -> bool:
    """Whether it has ended, and is not tidied up yet."""
    steps = plan.get("status", {}).get("steps") or [{}]
    return _phase(plan) in TERMINAL and steps[-1].get("name") == _CLOSING and not steps[-1].get("endTime")


def _order(node: Object) -> str | None:
    order: str | None = (node.get("spec", {}).get("operation") or {}).get("id")
    return order


def _done(node: Object) -> bool:
    progress = node.get("status", {}).get("operation") or {}
    return progress.get("id") == _order(node) and progress.get("phase") in _ENDED

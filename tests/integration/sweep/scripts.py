"""How each transition is brought about on a plane: as in virtual time, but that nobody waits for a deadline there."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from controller.agent.simulated_faults import Call, Fault, ScriptedFault
from controller.binding.dra import DEVICE_CLASS, DRIVER
from controller.repartition.phases import Event, Phase
from e2e.run.install import add_gpu_nodes
from e2e.run.processes import write_agent_tokens
from tests.integration.operator.running import AIM, DRA
from tests.integration.sweep.hurry import TIMES
from tests.integration.sweep.site import NODES, Site
from tests.sweep.scripts import COMPUTE, MEMORY, STAY
from tests.sweep.transitions import Key

Action: TypeAlias = Callable[[Site], None]

# How long a deleted Node is away.
_AWAY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class PlaneScript:
    """As `tests.sweep.scripts.Script`."""

    to: str = COMPUTE
    approved: bool = True
    cancelled: bool = False
    first: Action | None = None
    at: Mapping[Phase, Action] = field(default_factory=dict)


def cancel(site: Site) -> None:
    """A person wants the plan taken back."""
    site.change(rollback=True)


def approve(site: Site) -> None:
    """A person approves the plan."""
    site.change(approved=True)


def forbid(phase: Phase) -> Action:
    """A GPU of the plan is in quarantine until the plan has left the phase: it keeps its mode."""

    def act(site: Site) -> None:
        entry = {"bdf": site.gpu, "partition": 0, "reason": "memory errors"}
        _quarantine(site, [entry])
        _afterwards(site, phase, lambda: _quarantine(site, []))

    return act


def budget_that_never_allows(site: Site) -> None:
    """No model may be evicted until the plan has left Draining."""
    path = f"/apis/policy/v1/namespaces/{site.cluster.namespace}/poddisruptionbudgets"
    names = {"key": "app", "operator": "In", "values": ["first", "second"]}
    spec = {"maxUnavailable": 0, "selector": {"matchExpressions": [names]}}
    site.plane.admin.create(path, {"metadata": {"name": "all"}, "spec": spec})

    async def lift() -> None:
        await site.left(Phase.PENDING)()
        await site.left(Phase.DRAINING)()
        await asyncio.to_thread(site.plane.admin.delete, f"{path}/all")

    site.do(lift())


def take_a_gpu(phase: Phase) -> Action:
    """Somebody allocates the last device of a GPU that the plan changes, until the plan has left the phase."""

    def act(site: Site) -> None:
        path = f"{DRA}/namespaces/{site.cluster.namespace}/resourceclaims"
        (gpu,) = [gpu for gpu in site.gpu_node()["status"]["gpus"] if gpu["bdf"] == site.gpu]
        device = gpu["partitions"][-1]["device"]
        spec = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": DEVICE_CLASS}}]}}
        results = [{"request": "gpu", "driver": DRIVER, "pool": site.node, "device": device}]
        site.plane.admin.create(path, {"metadata": {"name": "foreign"}, "spec": spec})
        site.plane.admin.patch(f"{path}/foreign/status", {"status": {"allocation": {"devices": {"results": results}}}})
        _afterwards(site, phase, lambda: site.plane.admin.delete(f"{path}/foreign"))

    return act


def strike(*faults: ScriptedFault) -> Action:
    """The agent starts anew and finds its hardware to do this."""

    def act(site: Site) -> None:
        site.play(*faults)
        site.kill("agent")

    return act


def force(site: Site) -> None:
    """Somebody sets a GPU to a compute mode that MEMORY does not ask for, past the agent, which starts anew."""

    def change() -> None:
        path = site.modes_file(site.node)
        kept = json.loads(path.read_bytes())
        kept["compute"][site.gpu] = "SPX" if kept["memory"] == "NPS1" else "QPX"
        path.write_text(json.dumps(kept))

    site.away("agent", lambda: asyncio.sleep(0), change)


def agent_away_until_expired(phase: Phase) -> Action:
    """The agent is gone until the phase has expired."""

    def act(site: Site) -> None:
        site.away("agent", site.left(phase))
        site.do(site.long_ago(phase))

    return act


def another_slice(site: Site) -> None:
    """Somebody else's slice hides the devices that the agent publishes, until the plan has left Verifying.

    An agent that looks at what it publishes removes it, so no agent may be running just then. The operator's watch has
    it before the operator hears that the plan is in Verifying, where it would verify without it.
    """
    path, name = f"{DRA}/resourceslices", f"{site.node}-another"
    # An agent that saw such a slice before has published a newer generation since.
    there = [
        found["spec"]["pool"] for found in site.plane.admin.get(path)["items"] if found["spec"]["driver"] == DRIVER
    ]
    newest = max(pool["generation"] for pool in there if pool["name"] == site.node)
    pool = {"name": site.node, "generation": newest + 1000, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": site.node, "pool": pool, "devices": []}
    site.proxy.awaited[name.encode()] = asyncio.Event()
    site.plane.admin.create(path, {"metadata": {"name": name}, "spec": spec})

    async def lift() -> None:
        await site.left(Phase.VERIFYING)()
        await asyncio.to_thread(site.plane.admin.delete, f"{path}/{name}")
        site.proxy.awaited.clear()

    site.do(lift())


def node_gone(site: Site) -> None:
    """The Node is deleted, and comes back as another with another token for its agent."""
    name = site.node
    site.plane.admin.delete(f"{NODES}/{name}")

    async def back() -> None:
        while await asyncio.to_thread(site.plane.admin.find, f"{AIM}/gpunodes/{name}") is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await asyncio.sleep(_AWAY_SECONDS)
        await asyncio.to_thread(add_gpu_nodes, site.plane, [name])
        await asyncio.to_thread(write_agent_tokens, site.plane, site.folder / "agent" / "tokens", [name])

    site.do(back())


def both(*actions: Action) -> Action:
    """One after another."""

    def act(site: Site) -> None:
        for action in actions:
            action(site)

    return act


def overdue(phase: Phase) -> Action:
    """The phase, in which the plan is by now, has expired."""
    return lambda site: site.do(site.long_ago(phase))


def _afterwards(site: Site, phase: Phase, undo: Callable[[], Any]) -> None:
    """Undo it once the plan, which begins in the phase or is in it, has left it."""

    async def later() -> None:
        await site.left(phase)()
        await asyncio.to_thread(undo)

    site.do(later())


def _quarantine(site: Site, entries: list[dict[str, Any]]) -> None:
    site.plane.admin.patch(f"{AIM}/gpunodes/{site.node}", {"spec": {"quarantine": entries}})


def _fails(times: int) -> Action:
    return strike(ScriptedFault(Fault.SETTING_UNAVAILABLE, Call.SET_COMPUTE_MODE, times=times))


def _in(phase: Phase, *actions: Action) -> dict[Phase, Action]:
    return {phase: both(*actions)}


# One that holds the plan in Quiescing until others have come there, and one that stays.
_STRANGER: Final = strike(ScriptedFault(Fault.FOREIGN_PROCESS, seconds=10.0 * TIMES))
_STRANGER_THAT_STAYS: Final = strike(ScriptedFault(Fault.FOREIGN_PROCESS))
_BACK: Final = {Phase.VERIFYING: cancel}


def _no_agent(phase: Phase) -> Action:
    """There is no agent until the plan has left the phase."""
    return lambda site: site.away("agent", site.left(phase))


PLANE_SCRIPTS: Final[Mapping[Key, PlaneScript]] = {
    (Phase.PENDING, Event.APPROVED): PlaneScript(),
    (Phase.PENDING, Event.APPROVAL_NEEDED): PlaneScript(approved=False, at=_in(Phase.AWAITING_APPROVAL, approve)),
    (Phase.PENDING, Event.REFUSED): PlaneScript(first=forbid(Phase.PENDING)),
    (Phase.PENDING, Event.CANCELLED): PlaneScript(cancelled=True),
    (Phase.AWAITING_APPROVAL, Event.APPROVED): PlaneScript(approved=False, at=_in(Phase.AWAITING_APPROVAL, approve)),
    (Phase.AWAITING_APPROVAL, Event.REFUSED): PlaneScript(
        approved=False, at=_in(Phase.AWAITING_APPROVAL, forbid(Phase.AWAITING_APPROVAL))
    ),
    (Phase.AWAITING_APPROVAL, Event.CANCELLED): PlaneScript(approved=False, at=_in(Phase.AWAITING_APPROVAL, cancel)),
    (Phase.DRAINING, Event.IDLE): PlaneScript(),
    (Phase.DRAINING, Event.EMPTIED): PlaneScript(STAY),
    (Phase.DRAINING, Event.REFUSED): PlaneScript(
        first=budget_that_never_allows, at=_in(Phase.DRAINING, forbid(Phase.DRAINING))
    ),
    (Phase.DRAINING, Event.CANCELLED): PlaneScript(first=budget_that_never_allows, at=_in(Phase.DRAINING, cancel)),
    (Phase.DRAINING, Event.EXPIRED): PlaneScript(
        first=budget_that_never_allows, at=_in(Phase.DRAINING, overdue(Phase.DRAINING))
    ),
    (Phase.QUIESCING, Event.QUIET): PlaneScript(),
    (Phase.QUIESCING, Event.DISTURBED): PlaneScript(
        first=_STRANGER, at=_in(Phase.QUIESCING, take_a_gpu(Phase.QUIESCING))
    ),
    (Phase.QUIESCING, Event.REFUSED): PlaneScript(at=_in(Phase.QUIESCING, forbid(Phase.QUIESCING))),
    (Phase.QUIESCING, Event.CANCELLED): PlaneScript(at=_in(Phase.QUIESCING, cancel)),
    (Phase.QUIESCING, Event.EXPIRED): PlaneScript(
        first=_STRANGER_THAT_STAYS, at=_in(Phase.QUIESCING, overdue(Phase.QUIESCING))
    ),
    (Phase.APPLYING, Event.RELOADS): PlaneScript(MEMORY),
    (Phase.APPLYING, Event.APPLIED): PlaneScript(),
    (Phase.APPLYING, Event.DISTURBED): PlaneScript(at=_in(Phase.APPLYING, take_a_gpu(Phase.APPLYING))),
    (Phase.APPLYING, Event.APPLY_FAILED): PlaneScript(at=_in(Phase.APPLYING, _fails(1))),
    (Phase.APPLYING, Event.NODE_GONE): PlaneScript(at=_in(Phase.APPLYING, node_gone)),
    (Phase.APPLYING, Event.CANCELLED): PlaneScript(at=_in(Phase.APPLYING, cancel)),
    (Phase.APPLYING, Event.EXPIRED): PlaneScript(at=_in(Phase.APPLYING, agent_away_until_expired(Phase.APPLYING))),
    (Phase.RELOADING, Event.APPLIED): PlaneScript(MEMORY),
    (Phase.RELOADING, Event.APPLY_FAILED): PlaneScript(MEMORY, at=_in(Phase.RELOADING, _fails(1))),
    (Phase.RELOADING, Event.NODE_GONE): PlaneScript(MEMORY, at=_in(Phase.RELOADING, node_gone)),
    (Phase.RELOADING, Event.CANCELLED): PlaneScript(MEMORY, at=_in(Phase.RELOADING, cancel)),
    (Phase.RELOADING, Event.EXPIRED): PlaneScript(
        MEMORY, at=_in(Phase.RELOADING, agent_away_until_expired(Phase.RELOADING))
    ),
    (Phase.VERIFYING, Event.VERIFIED): PlaneScript(),
    (Phase.VERIFYING, Event.MISMATCHED): PlaneScript(MEMORY, at=_in(Phase.VERIFYING, force, another_slice)),
    (Phase.VERIFYING, Event.NODE_GONE): PlaneScript(
        MEMORY, at=_in(Phase.VERIFYING, _no_agent(Phase.VERIFYING), another_slice, node_gone)
    ),
    (Phase.VERIFYING, Event.CANCELLED): PlaneScript(at=_BACK),
    (Phase.VERIFYING, Event.EXPIRED): PlaneScript(
        MEMORY, at=_in(Phase.VERIFYING, agent_away_until_expired(Phase.VERIFYING), another_slice)
    ),
    (Phase.ROLLING_BACK, Event.RESTORED): PlaneScript(at=_BACK),
    (Phase.ROLLING_BACK, Event.RETRIED): PlaneScript(at={**_BACK, Phase.ROLLING_BACK: _fails(1)}),
    (Phase.ROLLING_BACK, Event.APPLY_FAILED): PlaneScript(at={**_BACK, Phase.ROLLING_BACK: _fails(0)}),
    (Phase.ROLLING_BACK, Event.NODE_GONE): PlaneScript(
        at={**_BACK, Phase.ROLLING_BACK: both(_no_agent(Phase.ROLLING_BACK), node_gone)}
    ),
    (Phase.ROLLING_BACK, Event.EXPIRED): PlaneScript(
        at={**_BACK, Phase.ROLLING_BACK: agent_away_until_expired(Phase.ROLLING_BACK)}
    ),
}

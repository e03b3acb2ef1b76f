"""What people, hardware and other software do to a change under way. Each acts at once; some are undone later."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from controller.agent.simulated_faults import LASTING, ScriptedFault
from controller.binding.dra import DRIVER
from controller.runtime.client.core import NODES, POD_DISRUPTION_BUDGETS, RESOURCE_CLAIMS
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, REPARTITION_PLANS
from tests.sweep.kubernetes import NAMESPACE
from tests.sweep.world import CHANGED, OTHER, PLAN, World

Action: TypeAlias = Callable[[World], None]

_DCM = "dcm.amd.com/gpu-config-profile"
_FOREIGN = "foreign"


def later(seconds: float, action: Action) -> Action:
    """The action, some time from now."""
    return lambda world: world.later(seconds, lambda: action(world))


def both(*actions: Action) -> Action:
    """One after another."""

    def act(world: World) -> None:
        for action in actions:
            action(world)

    return act


def approve(world: World) -> None:
    """A person approves the plan."""
    world.store.write(REPARTITION_PLANS, PLAN, "", {"spec": {"approved": True}})


def cancel(world: World) -> None:
    """A person wants the plan taken back."""
    world.store.write(REPARTITION_PLANS, PLAN, "", {"spec": {"rollback": True}})


def forbid(seconds: float) -> Action:
    """The first GPU is in quarantine for a while: it keeps its mode, so plans that change it are refused."""

    def act(world: World) -> None:
        entry = {"bdf": world.machines[CHANGED].gpus[0], "partition": 0, "reason": "memory errors"}
        world.store.write(GPU_NODES, CHANGED, "", {"spec": {"quarantine": [entry]}})
        world.later(seconds, lambda: world.store.write(GPU_NODES, CHANGED, "", {"spec": {"quarantine": None}}))

    return act


def take_over(seconds: float) -> Action:
    """AMD's Device Config Manager takes the node over for a while: plans wait there."""

    def act(world: World) -> None:
        _label(world, _DCM, "cpx")
        world.later(seconds, lambda: _label(world, _DCM, None))

    return act


def cordon_other(seconds: float) -> Action:
    """Nobody can be moved to the other node for a while."""

    def act(world: World) -> None:
        world.store.write(NODES, OTHER, "", {"spec": {"unschedulable": True}})
        world.later(seconds, lambda: world.store.write(NODES, OTHER, "", {"spec": {"unschedulable": None}}))

    return act


def budget_that_never_allows(seconds: float) -> Action:
    """A disruption budget over every model allows no eviction for a while."""

    def act(world: World) -> None:
        spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"model": "true"}}}
        world.store.create(POD_DISRUPTION_BUDGETS, {"metadata": {"name": "all", "namespace": NAMESPACE}, "spec": spec})
        world.later(seconds, lambda: world.store.delete(POD_DISRUPTION_BUDGETS, "all", NAMESPACE))

    return act


def take_a_gpu(seconds: float) -> Action:
    """Somebody who does not ask us allocates the last device of the node's first GPU, for a while."""

    def act(world: World) -> None:
        machine = world.machines[CHANGED]
        device = [name for name, place in machine.devices.items() if place[0] == machine.gpus[0]][-1]
        result = {"request": "gpu", "driver": DRIVER, "pool": CHANGED, "device": device}
        world.store.create(RESOURCE_CLAIMS, {"metadata": {"name": _FOREIGN, "namespace": NAMESPACE}, "spec": {}})
        status = {"allocation": {"devices": {"results": [result]}}}
        world.store.write(RESOURCE_CLAIMS, _FOREIGN, NAMESPACE, {"status": status}, subresource="status")
        world.later(seconds, lambda: world.store.delete(RESOURCE_CLAIMS, _FOREIGN, NAMESPACE))

    return act


def strike(*faults: ScriptedFault) -> Action:
    """The hardware of the node does this from now on; what lasts befalls its first GPU, which every plan changes."""

    def act(world: World) -> None:
        machine = world.machines[CHANGED]
        first = machine.gpus[0]
        machine.strike(*(replace(one, gpu=first) if one.fault in LASTING else one for one in faults))

    return act


def force(mode: str) -> Action:
    """Somebody changes the first GPU's compute mode past the agent."""

    def act(world: World) -> None:
        machine = world.machines[CHANGED]
        machine.force(machine.gpus[0], mode)

    return act


def agent_away(seconds: float) -> Action:
    """The node's agent is gone for a while."""

    def act(world: World) -> None:
        agent = world.agents[CHANGED]
        agent.kill()
        world.restart_after(agent, seconds)

    return act


def kubelet_away(seconds: float) -> Action:
    """The node's kubelet neither starts nor ends pods for a while."""

    def act(world: World) -> None:
        world.kubernetes.down.add(CHANGED)

        def back() -> None:
            world.kubernetes.down.discard(CHANGED)
            world.kubernetes.wake()

        world.later(seconds, back)

    return act


def node_gone(seconds: float) -> Action:
    """The Node is deleted, and comes back as another."""

    def act(world: World) -> None:
        world.store.delete(NODES, CHANGED)
        world.later(seconds, lambda: world.add_node(CHANGED))

    return act


def _label(world: World, key: str, value: str | None) -> None:
    patch: Manifest = {"metadata": {"labels": {key: value}}}
    if world.store.find(NODES, CHANGED) is not None:
        world.store.write(NODES, CHANGED, "", patch)

"""What must hold at every moment of a case, and what must hold at its end. Judged from the store and the hardware,
never from what the operator thinks.
"""

from collections import defaultdict
from collections.abc import Iterator

from controller.repartition.phases import HARDWARE, TERMINAL, Phase
from controller.runtime.client.core import NODES, PODS, RESOURCE_CLAIMS
from controller.runtime.manifest import Manifest
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS, REPARTITION_PLANS
from controller.translate.node_labels import METRICS_EXPORTER_LABEL
from tests.fakes.store import FakeStore, Write
from tests.sweep.kubernetes import advertised, allocated, owner_uid
from tests.sweep.machine import Machine
from tests.sweep.world import MODELS, MOST_UNAVAILABLE, World

_HOLDING = ("Bound", "Allocated")


class Monitor:
    """Looks at every write and every change of the hardware; `violations` are sentences."""

    def __init__(self, world: World) -> None:
        self.violations: list[str] = []
        self._world = world
        self._store = world.store
        world.store.on_write.append(self._heard)
        for name, machine in world.machines.items():
            self._follow(name, machine)

    def _follow(self, node: str, machine: Machine) -> None:
        def changes(what: str, gpus: frozenset[str]) -> None:
            self._changes(node, machine, what, gpus)

        machine.on_change = changes

    def _heard(self, write: Write) -> None:
        if write.after is None:
            return
        if write.resource == RESOURCE_CLAIMS:
            self._once("allocated", [(c, each) for c in self._store.list(RESOURCE_CLAIMS) for each in allocated(c)])
        elif write.resource == GPU_PARTITION_CLAIMS:
            self._reported(write)
            self._once("bound", [(c, each) for c in self._store.list(GPU_PARTITION_CLAIMS) for each in _bound(c)])
        elif write.resource == PODS and write.who == "operator":
            self._evicts(write)

    def _once(self, what: str, held: list[tuple[Manifest, tuple[str, str]]]) -> None:
        holders: dict[tuple[str, str], list[str]] = defaultdict(list)
        for claim, place in held:
            holders[place].append(claim["metadata"]["name"])
        for place, names in holders.items():
            if len(names) > 1:
                self._add(f"{place} is {what} to {', '.join(names)} at once")

    def _reported(self, write: Write) -> None:
        """A claim is bound to what its node's agent has reported, in the mode that it has reported."""
        places = set(_bound(write.object)) - set(_bound(write.before) if write.before is not None else ())
        for node, _ in places:
            (device,) = write.object["status"]["allocation"]["devices"]
            gpus = (self._store.get(GPU_NODES, node).get("status") or {}).get("gpus") or ()
            known = [gpu for gpu in gpus if gpu["bdf"] == device["bdf"] and gpu.get("mode") == device["mode"]]
            if not any(one["id"] == device["partition"] for gpu in known for one in gpu["partitions"]):
                self._add(f"{write.object['metadata']['name']} is bound to {device}, which {node} does not report")

    def _evicts(self, write: Write) -> None:
        """A pod of a model is evicted only for a plan that has a place for its successor on record."""
        pod = write.object
        marked = "deletionTimestamp" in pod["metadata"]
        if not marked or write.before is None or "deletionTimestamp" in write.before["metadata"]:
            return
        if not pod["spec"].get("resourceClaims"):
            return  # AMD's own pods are restarted
        keepers = [plan.get("status") or {} for plan in self._store.list(REPARTITION_PLANS)]
        keepers += [node["spec"] for node in self._store.list(GPU_NODES)]
        places = [kept["pod"] for keeper in keepers for kept in keeper.get("reservations") or ()]
        if pod["metadata"]["name"] not in places:
            self._add(f"pod {pod['metadata']['name']} is evicted without a place for its successor")
        down = MODELS - sum(_serves(each) for each in self._store.list(PODS, labels="model=true"))
        if down > MOST_UNAVAILABLE:
            self._add(f"{down} models are down after an eviction, repartition.maxUnavailablePods is {MOST_UNAVAILABLE}")

    def _changes(self, node: str, machine: Machine, what: str, gpus: frozenset[str]) -> None:
        phases = {_phase(plan) for plan in self._store.list(REPARTITION_PLANS) if plan["spec"]["node"] == node}
        if not phases & HARDWARE:
            self._add(f"{node}: {what}, and no plan's status says so: {sorted(phases)}")
        found = self._store.find(NODES, node)
        if found is not None and not found["spec"].get("taints"):
            self._add(f"{node}: {what}, and the node is not tainted")
        devices = machine.devices
        for holder, device in holders_on(self._store, node):
            place = devices.get(device)
            if place is None or place[0] in gpus:
                self._add(f"{node}: {what} of {', '.join(sorted(gpus))} while {holder} holds {device}")

    def _add(self, violation: str) -> None:
        if violation not in self.violations:
            self.violations.append(violation)


def holders_on(store: FakeStore, node: str) -> Iterator[tuple[str, str]]:
    """(claim, device) of every allocation on a node, adminAccess included."""
    for claim in store.list(RESOURCE_CLAIMS):
        for result in ((claim.get("status") or {}).get("allocation") or {}).get("devices", {}).get("results") or ():
            if result["pool"] == node:
                yield claim["metadata"]["name"], result["device"]


def unsettled(world: World) -> Iterator[str]:
    """What is not as it must be at the end; nothing once everything is. What is cheap to see comes first."""
    yield from _plans(world)
    for process in world.processes:
        if process.died:
            yield f"{process.name} ended: {process.died}"
        if not process.alive:
            yield f"{process.name} does not run"
    yield from _workloads(world)
    for node in world.machines:
        yield from _node(world, node)
    yield from _claims(world)


def _plans(world: World) -> Iterator[str]:
    for plan in world.store.list(REPARTITION_PLANS):
        name, status = plan["metadata"]["name"], plan.get("status") or {}
        if _phase(plan) not in TERMINAL:
            yield f"plan {name} is {_phase(plan)}: {status.get('message')}"
        if any("endTime" not in step for step in status.get("steps") or ()):
            yield f"plan {name}: a step has not ended: {status['steps']}"
        if status.get("reservations"):
            yield f"plan {name} still keeps {status['reservations']}"


def _node(world: World, name: str) -> Iterator[str]:
    node = world.store.find(NODES, name)
    if node is None:
        yield f"node {name} is not there"
        return
    if node["spec"].get("taints"):
        yield f"node {name} is tainted: {node['spec']['taints']}"
    if METRICS_EXPORTER_LABEL in node["metadata"]["labels"]:
        yield f"node {name}: AMD's exporter is still held off"
    found = world.store.find(GPU_NODES, name)
    if found is None:
        yield f"GPUNode {name} is not there"
        return
    if "operation" in found["spec"]:
        yield f"GPUNode {name} still has operation {found['spec']['operation']['id']}"
    if found["spec"].get("reservations"):
        yield f"GPUNode {name} still keeps {found['spec']['reservations']}"
    status = found.get("status") or {}
    if (status.get("operation") or {}).get("phase") == "Running":
        yield f"the agent of {name} is still at {status['operation']}"
    machine = world.machines[name]
    reported = {gpu["bdf"]: gpu.get("mode") for gpu in status.get("gpus") or ()}
    hardware = machine.node()
    real = {gpu.bdf: str(hardware.mode_of(gpu.bdf)) for gpu in hardware.present}
    if reported != real:
        yield f"GPUNode {name} reports {reported}, the hardware is {real}"
    devices, present = {device["name"] for device in advertised(world.store, name)}, machine.devices
    if devices != present.keys():
        yield f"node {name} advertises {len(devices)} devices, the hardware has {len(present)}"


def _workloads(world: World) -> Iterator[str]:
    pods = world.store.list(PODS)
    for uid, workload in world.kubernetes.workloads.items():
        own = [pod for pod in pods if owner_uid(pod) == uid]
        running = [pod for pod in own if pod["status"]["phase"] == "Running"]
        if len(own) != workload.replicas or len(running) != workload.replicas:
            yield f"{workload.name} has {len(running)} of {workload.replicas} pods running, {len(own)} in all"


def _claims(world: World) -> Iterator[str]:
    store = world.store
    users = [pod for pod in store.list(PODS) if pod["spec"].get("resourceClaims")]
    wanted = {pod["spec"]["resourceClaims"][0]["resourceClaimName"]: pod for pod in users}
    claims = {claim["metadata"]["name"]: claim for claim in store.list(GPU_PARTITION_CLAIMS)}
    if claims.keys() != wanted.keys():
        yield f"claims {sorted(claims)} of pods that name {sorted(wanted)}"
        return
    devices = {node: machine.devices for node, machine in world.machines.items()}
    for name, claim in claims.items():
        status = claim.get("status") or {}
        device = next(iter((status.get("allocation") or {}).get("devices") or ()), None)
        if status.get("phase") != "Allocated" or device is None:
            yield f"claim {name} is {status.get('phase')}: {status.get('explanation')}"
            continue
        node = status["allocation"]["node"]
        real = devices[node].get(device["device"])
        if real != (device["bdf"], device["partition"], device["mode"]):
            yield f"claim {name} says {device}, the hardware of {node} has {real}"
        held = store.find(RESOURCE_CLAIMS, name, claim["metadata"]["namespace"])
        if held is None or allocated(held) != [(node, device["device"])]:
            yield f"claim {name} says {device['device']}, its ResourceClaim {held and held.get('status')}"
        if wanted[name]["spec"].get("nodeName") != node:
            yield f"claim {name} is on {node}, its pod on {wanted[name]['spec'].get('nodeName')}"


def _bound(claim: Manifest) -> list[tuple[str, str]]:
    status = claim.get("status") or {}
    if status.get("phase") not in _HOLDING:
        return []
    allocation = status.get("allocation") or {}
    return [(allocation["node"], f"{each['bdf']}/{each['partition']}") for each in allocation.get("devices") or ()]


def _serves(pod: Manifest) -> bool:
    return pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]


def _phase(plan: Manifest) -> Phase:
    return Phase((plan.get("status") or {}).get("phase", Phase.PENDING))

"""What is not as it must be once nothing goes wrong any more, and what is left once everything was deleted. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.translate.node_labels import METRICS_EXPORTER_LABEL
from e2e.run.checks import double_allocations, mismatches
from e2e.run.world import Object, World, by_key, claim_key, gated, key_of, lives, opted_in, status_of
from tests.chaos.facts import OVER

HELD_OFF: Final = METRICS_EXPORTER_LABEL
_OUR_TAINT: Final = "aim.amd.com/"


@dataclass(frozen=True, slots=True)
class Scene:
    """The objects, the Nodes, and the modes in which each node's hardware really is, by GPU."""

    world: World
    nodes: Sequence[Object]
    modes: Mapping[str, Mapping[str, str]]


def unsettled(scene: Scene) -> list[str]:
    """A sentence for everything that is not as it must be; what is found first explains what comes later."""
    parts = (_plans, _nodes, _hardware, _workloads, _claims, _orphans)
    found = [sentence for part in parts for sentence in part(scene)]
    faults = [str(fault) for fault in (*double_allocations(scene.world), *mismatches(scene.world))]
    return [*found, *sorted(faults)]


def left(scene: Scene) -> list[str]:
    """After the last workload was deleted: everything that should have gone with them."""
    world = scene.world
    pods = [f"pod {key_of(pod)}" for pod in world.pods]
    claims = [f"claim {key_of(claim)}" for claim in world.claims]
    resource_claims = [f"ResourceClaim {key_of(claim)}" for claim in world.resource_claims]
    services = [f"InferenceService {key_of(one)}: {_finalizers(one)}" for one in world.services]
    deployments = [f"Deployment {key_of(one)}" for one in world.deployments]
    return [*services, *deployments, *pods, *claims, *resource_claims, *_plans(scene), *_nodes(scene)]


def _finalizers(obj: Object) -> str:
    return ", ".join(obj["metadata"].get("finalizers") or ()) or "no finalizers"


def _plans(scene: Scene) -> Iterator[str]:
    for plan in scene.world.plans:
        name, status = plan["metadata"]["name"], status_of(plan)
        if (phase := status.get("phase") or "Pending") not in OVER:
            yield f"plan {name} is {phase}: {status.get('message')}"
        if any("endTime" not in step for step in status.get("steps") or ()):
            yield f"plan {name}: a step has not ended"
        if status.get("reservations"):
            yield f"plan {name} still keeps places for {[one['pod'] for one in status['reservations']]}"


def _nodes(scene: Scene) -> Iterator[str]:
    for node in scene.nodes:
        name = node["metadata"]["name"]
        if any(taint["key"].startswith(_OUR_TAINT) for taint in node["spec"].get("taints") or ()):
            yield f"node {name} is tainted: {node['spec']['taints']}"
        if HELD_OFF in node["metadata"]["labels"]:
            yield f"node {name}: AMD's exporter is still held off"
    for node in scene.world.gpu_nodes:
        name, spec = node["metadata"]["name"], node["spec"]
        if "operation" in spec:
            yield f"GPUNode {name} still has operation {spec['operation']['id']}"
        if spec.get("reservations"):
            yield f"GPUNode {name} still keeps places for {[one['pod'] for one in spec['reservations']]}"
        if (status_of(node).get("operation") or {}).get("phase") == "Running":
            yield f"the agent of {name} is still at its operation"


def _hardware(scene: Scene) -> Iterator[str]:
    reported = {
        node["metadata"]["name"]: {gpu["bdf"]: gpu.get("mode") for gpu in status_of(node).get("gpus") or ()}
        for node in scene.world.gpu_nodes
    }
    for name, modes in scene.modes.items():
        if reported.get(name) != modes:
            yield f"GPUNode {name} reports {reported.get(name)}, the hardware is {dict(modes)}"


def _workloads(scene: Scene) -> Iterator[str]:
    for deployment in scene.world.deployments:
        wanted = deployment["spec"].get("replicas", 1)
        ready = status_of(deployment).get("readyReplicas", 0)
        updated = status_of(deployment).get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        if ready != wanted or not updated:
            yield f"Deployment {key_of(deployment)} has {ready} of {wanted} pods ready"
    deployed = {key_of(one) for one in scene.world.deployments}
    for service in scene.world.services:
        if service["spec"].get("replicas", 1) and key_of(service) not in deployed:
            yield f"InferenceService {key_of(service)} has no Deployment"
    for pod in scene.world.pods:
        if status_of(pod).get("phase") != "Running" or not lives(pod):
            state = "deleted" if "deletionTimestamp" in pod["metadata"] else status_of(pod).get("phase")
            yield f"pod {key_of(pod)} is {state}{', and gated' if gated(pod) else ''}"


def _claims(scene: Scene) -> Iterator[str]:
    claims, resource_claims = by_key(scene.world.claims), by_key(scene.world.resource_claims)
    for pod in scene.world.pods:
        key = claim_key(pod)
        if opted_in(pod) and key is None:
            yield f"pod {key_of(pod)} opted in and names no claim"
        if key is None or not lives(pod):
            continue
        claim = claims.get(key)
        if claim is None:
            yield f"pod {key_of(pod)} has no GPUPartitionClaim {key}"
            continue
        status = status_of(claim)
        if status.get("phase") != "Allocated":
            yield f"claim {key} of pod {key_of(pod)} is {status.get('phase')}: {status.get('explanation')}"
        elif pod["spec"].get("nodeName") != status["allocation"]["node"]:
            yield f"claim {key} is on {status['allocation']['node']}, its pod on {pod['spec'].get('nodeName')}"
        if key not in resource_claims:
            yield f"pod {key_of(pod)} has no ResourceClaim {key}"


def _orphans(scene: Scene) -> Iterator[str]:
    """Claims that nobody names any more."""
    named = {claim_key(pod) for pod in scene.world.pods}
    for kind, claims in (("claim", scene.world.claims), ("ResourceClaim", scene.world.resource_claims)):
        for claim in claims:
            if key_of(claim) not in named:
                yield f"{kind} {key_of(claim)} is nobody's"

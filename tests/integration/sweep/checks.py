"""What must hold at the end of a case on a plane: as in virtual time, judged from the API server and the hardware."""

import json
from collections import Counter
from collections.abc import Iterator

from controller.repartition.phases import HARDWARE, TERMINAL, Phase
from controller.translate.node_labels import METRICS_EXPORTER_LABEL
from tests.integration.operator.running import AIM, Object
from tests.integration.sweep.site import MODELS, NODES, PLANS, RESOURCE_CLAIMS, Site


def unsettled(site: Site) -> list[str]:
    """What is not as it must be, as far as can be seen at once; empty once everything is."""
    for part in (_plan, _models, _nodes, _claims):
        found = list(part(site))
        if found:
            return found
    return []


def _plan(site: Site) -> Iterator[str]:
    status = site.plane.admin.get(f"{PLANS}/{site.plan}").get("status", {})
    if status.get("phase", Phase.PENDING) not in TERMINAL:
        yield f"the plan is {status.get('phase')}: {status.get('message')}"
    if any("endTime" not in step for step in status.get("steps", ())):
        yield f"a step has not ended: {status['steps']}"
    if status.get("reservations"):
        yield f"the plan still keeps {status['reservations']}"


def _models(site: Site) -> Iterator[str]:
    pods = site.plane.admin.get(site.cluster.pods_path)["items"]
    ready = [pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]
    if len(pods) != MODELS or len(ready) != MODELS:
        yield f"{len(ready)} of {MODELS} pods run, {len(pods)} in all"


def _nodes(site: Site) -> Iterator[str]:
    for name in site.cluster.names.values():
        node = site.plane.admin.get(f"{NODES}/{name}")
        if node["spec"].get("taints"):
            yield f"node {name} is tainted: {node['spec']['taints']}"
        if METRICS_EXPORTER_LABEL in node["metadata"]["labels"]:
            yield f"node {name}: AMD's exporter is still held off"
        found = site.plane.admin.find(f"{AIM}/gpunodes/{name}")
        if found is None:
            yield f"GPUNode {name} is not there"
            continue
        if "operation" in found["spec"]:
            yield f"GPUNode {name} still has operation {found['spec']['operation']['id']}"
        reported, real = (
            {gpu["bdf"]: gpu.get("mode") for gpu in found.get("status", {}).get("gpus", ())},
            modes(site, name),
        )
        if reported != real:
            yield f"GPUNode {name} reports {reported}, the hardware is {real}"


def _claims(site: Site) -> Iterator[str]:
    pods = {pod["metadata"]["uid"]: pod for pod in site.plane.admin.get(site.cluster.pods_path)["items"]}
    claims = site.plane.admin.get(site.cluster.claims_path)["items"]
    if {claim["spec"]["podRef"]["uid"] for claim in claims} != pods.keys():
        yield f"{len(claims)} claims of {len(pods)} pods"
        return
    held = {claim["metadata"]["name"]: claim for claim in site.plane.admin.get(RESOURCE_CLAIMS)["items"]}
    for claim in claims:
        name, status = claim["metadata"]["name"], claim.get("status", {})
        if status.get("phase") != "Allocated":
            yield f"claim {name} is {status.get('phase')}: {status.get('explanation')}"
            continue
        node, (device,) = status["allocation"]["node"], status["allocation"]["devices"]
        if modes(site, node).get(device["bdf"]) != device["mode"]:
            yield f"claim {name} says {device}, the hardware of {node} is {modes(site, node)}"
        if _results(held.get(name)) != [(node, device["device"])]:
            yield f"claim {name} says {device['device']}, its ResourceClaim {held.get(name)}"
        if pods[claim["spec"]["podRef"]["uid"]]["spec"].get("nodeName") != node:
            yield f"claim {name} is on {node}, its pod is not"


def twice_allocated(site: Site) -> list[str]:
    """Devices that two claims hold."""
    claims = site.plane.admin.get(RESOURCE_CLAIMS)["items"]
    held = Counter(place for claim in claims for place in _results(claim))
    return [f"{place} is allocated {count} times" for place, count in held.items() if count > 1]


def judge(site: Site, ends: frozenset[Phase], before: dict[str, str]) -> None:
    """Whether the plan has come to one of these ends, rightly. `before`: the modes that it began with."""
    status = site.plane.admin.get(f"{PLANS}/{site.plan}")["status"]
    end, told = Phase(status["phase"]), f"{status['message']}; taken {site.taken}"
    assert end in ends, f"the plan ended {end}, not {sorted(ends)}: {told}"
    assert not twice_allocated(site), told
    changed = any(key[0] in HARDWARE for key in site.taken)
    if end is Phase.ROLLED_BACK or (end is Phase.FAILED and not changed):
        assert modes(site, site.node) == before, f"the plan ended {end}: {told}"
    if end is Phase.FAILED and changed:
        degraded = [one for one in status["conditions"] if one["type"] == "Degraded" and one["status"] == "True"]
        assert degraded, told
        assert degraded[0]["message"], told


def modes(site: Site, node: str) -> dict[str, str]:
    """The mode of each GPU that is there, as the simulated hardware really is."""
    kept = json.loads(site.modes_file(node).read_bytes())
    gone = site.lost if node == site.node else ""
    return {bdf: f"{compute}/{kept['memory']}" for bdf, compute in kept["compute"].items() if bdf != gone}


def _results(claim: Object | None) -> list[tuple[str, str]]:
    allocation = ((claim or {}).get("status") or {}).get("allocation") or {}
    return [(one["pool"], one["device"]) for one in allocation.get("devices", {}).get("results", ())]

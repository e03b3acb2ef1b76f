"""The pod webhook: our gate, a claim name, the container's claim and the environment, once and idempotently.

A pod's limits, claims and environment are final at CREATE, so all of it happens here. Nothing is reserved: a
ReplicaSet's pod has neither name nor uid yet, and KServe's come twice.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from api.group import ASSIGNED_PARTITION, CLAIM_PREFIX, ENGINE_ARGS, GATE, GPU_SHARING
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
from controller.translate.annotation_keys import misspelt
from controller.translate.pod import claim_name
from controller.translate.request import Problem, parse_request
from controller.webhooks.finding import shown

Json = Mapping[str, Any]
Patch = list[dict[str, Any]]

CLAIM_REFERENCE = "aim-gpu"
KSERVE_CONTAINER = "kserve-container"
RESOURCE_PREFIX = "amd.com/"

#: Environment that reads the annotations which the bind patch writes, through the downward API.
ENVIRONMENT: tuple[tuple[str, str], ...] = (
    ("AIM_ENGINE_ARGS", ENGINE_ARGS),
    ("AIM_GPU_PARTITION", ASSIGNED_PARTITION),
)

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def random_suffix() -> str:
    """Ten random characters of a claim name: about 52 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


class PodGate:
    """Mutates annotated pods at CREATE."""

    def __init__(self, name_suffix: Callable[[], str] = random_suffix) -> None:
        self._name_suffix = name_suffix

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Answer one admission request."""
        pod = request.object
        if request.operation != "CREATE" or pod is None:
            return allow()
        outcome = self.mutate(pod)
        warnings = shown(misspelt(pod.get("metadata", {}).get("annotations") or {}))
        if isinstance(outcome, list):
            return allow(outcome, warnings)
        return replace(deny("; ".join(map(str, outcome)), code=422), warnings=warnings)

    def mutate(self, pod: Json) -> Patch | tuple[Problem, ...]:
        """The JSON patch for a pod, empty when there is nothing to do, or every problem found."""
        annotations = pod.get("metadata", {}).get("annotations") or {}
        if annotations.get(GPU_SHARING, "false") == "false":
            return []
        request = parse_request(annotations)
        if isinstance(request, tuple):
            return request
        index = _container_index(pod["spec"])
        if isinstance(index, Problem):
            return (index,)
        return [*_gate(pod), *_claim(pod, index, self._name_suffix), *_environment(pod, index), *_requests_off(pod)]


def _asks_for_gpu(container: Json) -> bool:
    resources = container.get("resources") or {}
    named = {*(resources.get("limits") or {}), *(resources.get("requests") or {})}
    return any(name.startswith(RESOURCE_PREFIX) for name in named)


def _container_index(spec: Json) -> int | Problem:
    """Which container gets the claim: the one that has it or asks for a GPU, else KServe's, else the only one."""
    containers = spec["containers"]
    for chosen in (_has_claim, _asks_for_gpu, lambda container: container["name"] == KSERVE_CONTAINER):
        matching = [index for index, container in enumerate(containers) if chosen(container)]
        if len(matching) == 1:
            return matching[0]
        if len(matching) > 1:
            return _ambiguous(containers)
    return 0 if len(containers) == 1 else _ambiguous(containers)


def _ambiguous(containers: list[Json]) -> Problem:
    names = ", ".join(container["name"] for container in containers)
    return Problem(
        "spec.containers",
        names,
        f"leaves open which one gets the GPU; name one {KSERVE_CONTAINER} or let one ask amd.com/gpu",
    )


def _has_claim(container: Json) -> bool:
    claims = (container.get("resources") or {}).get("claims") or ()
    return any(claim["name"] == CLAIM_REFERENCE for claim in claims)


def _gate(pod: Json) -> Patch:
    gates = pod["spec"].get("schedulingGates") or []
    if any(gate["name"] == GATE for gate in gates):
        return []
    return _append("/spec/schedulingGates", gates, {"name": GATE})


def _claim(pod: Json, index: int, name_suffix: Callable[[], str]) -> Patch:
    spec = pod["spec"]
    operations: Patch = []
    if claim_name(typed(pod, Pod)) is None:
        claim = {"name": CLAIM_REFERENCE, "resourceClaimName": CLAIM_PREFIX + name_suffix()}
        operations += _append("/spec/resourceClaims", spec.get("resourceClaims") or [], claim)
    operations += _container_claim(f"/spec/containers/{index}", spec["containers"][index])
    for place, container in enumerate(spec.get("initContainers") or ()):
        if _asks_for_gpu(container):  # it runs before the model, on the same partition
            operations += _container_claim(f"/spec/initContainers/{place}", container)
    return operations


def _container_claim(path: str, container: Json) -> Patch:
    if _has_claim(container):
        return []
    resources = container.get("resources")
    if not resources:
        return [{"op": "add", "path": f"{path}/resources", "value": {"claims": [{"name": CLAIM_REFERENCE}]}}]
    return _append(f"{path}/resources/claims", resources.get("claims") or [], {"name": CLAIM_REFERENCE})


def _environment(pod: Json, index: int) -> Patch:
    present = pod["spec"]["containers"][index].get("env") or []
    names = {item["name"] for item in present}
    missing = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{key}']"}}}
        for name, key in ENVIRONMENT
        if name not in names
    ]
    path = f"/spec/containers/{index}/env"
    if not missing:
        return []
    if not present:
        return [{"op": "add", "path": path, "value": missing}]
    return [{"op": "add", "path": f"{path}/-", "value": item} for item in missing]


def _requests_off(pod: Json) -> Patch:
    """Take device-plugin requests off: the claim replaces them, and both together would hold two GPUs."""
    operations: Patch = []
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(pod["spec"].get(kind) or ()):
            operations += _off(f"/spec/{kind}/{index}/resources", container.get("resources") or {})
    return operations


def _off(path: str, resources: Json) -> Patch:
    return [
        {"op": "remove", "path": f"{path}/{kind}/{name.replace('~', '~0').replace('/', '~1')}"}
        for kind in ("limits", "requests")
        for name in resources.get(kind) or {}
        if name.startswith(RESOURCE_PREFIX)
    ]


def _append(path: str, present: list[Any], item: dict[str, Any]) -> Patch:
    if present:
        return [{"op": "add", "path": f"{path}/-", "value": item}]
    return [{"op": "add", "path": path, "value": [item]}]

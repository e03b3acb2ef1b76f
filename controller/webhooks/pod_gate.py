"""The pod webhook: our gate and label, what the container asks for, and the environment, once and idempotently.

A pod's limits, claims and environment are final at CREATE, so all of it happens here. The container gets a claim on a
ResourceClaim that the operator will make, or one extended resource of AMD's device plugin: `pod_binding` knows which.
Nothing is reserved: a ReplicaSet's pod has neither name nor uid yet, and KServe's come twice.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from api.group import (
    ASSIGNED_PARTITION,
    CLAIM_PREFIX,
    ENGINE_ARGS,
    ENGINE_LABEL,
    GATE,
    GPU_SHARING,
    PRECISION,
    SERVICE_LABEL,
)
from controller.binding.device_plugin import RESOURCE_PREFIX
from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
from controller.sizing.errors import SizingError
from controller.state.models import Models
from controller.translate.annotation_keys import misspelt
from controller.translate.known_checkpoint import loading_assumed
from controller.translate.request import PodRequest, Problem, parse_request
from controller.webhooks.finding import shown
from controller.webhooks.group_claim import MEMBER_ENVIRONMENT, claim_of, problem_with
from controller.webhooks.pod_binding import PodBinding
from controller.webhooks.profile_mount import ProfileMount

Json = Mapping[str, Any]
Patch = list[dict[str, Any]]

CLAIM_REFERENCE = "aim-gpu"
KSERVE_CONTAINER = "kserve-container"
#: HTTP status for a pod that comes before the operator has read the cluster; controllers try again by themselves.
TOO_EARLY = 429

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
    """Mutates annotated pods at CREATE. Without `binding` every pod gets a ResourceClaim, without `profiles` none.

    With `sizing` it warns of what is assumed of the engine.
    """

    def __init__(
        self,
        name_suffix: Callable[[], str] = random_suffix,
        binding: PodBinding | None = None,
        profiles: ProfileMount | None = None,
        sizing: Models | None = None,
    ) -> None:
        self._name_suffix = name_suffix
        self._binding = binding
        self._profiles = profiles
        self._sizing = sizing

    async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
        """Answer one admission request."""
        pod = request.object
        if request.operation != "CREATE" or pod is None:
            return allow()
        annotations = pod.get("metadata", {}).get("annotations") or {}
        if self._binding is not None and _opted_in(annotations) and not await self._binding.known():
            return deny("the operator has not read nodes and policies yet; try again in some seconds", TOO_EARLY)
        outcome = self.mutate(pod, request.namespace)
        warnings = shown((*misspelt(annotations), *self._assumed(pod)))
        if isinstance(outcome, list):
            return allow(outcome, warnings)
        return replace(deny("; ".join(map(str, outcome)), code=422), warnings=warnings)

    def mutate(self, pod: Json, namespace: str = "") -> Patch | tuple[Problem, ...]:
        """The JSON patch for a pod of `namespace`, empty when there is nothing to do, or every problem found."""
        annotations = pod.get("metadata", {}).get("annotations") or {}
        if not _opted_in(annotations):
            return []
        request = parse_request(annotations)
        if isinstance(request, tuple):
            return request
        index = _container_index(pod["spec"])
        if isinstance(index, Problem):
            return (index,)
        resource = self._resource(pod, namespace, request)
        problem = problem_with(pod, namespace, request, resource)
        if problem is not None:
            return (problem,)
        variables = ENVIRONMENT if request.group is None else ENVIRONMENT + MEMBER_ENVIRONMENT
        environment = [*_environment(pod, index, variables), *self._mount(pod, namespace, index, request)]
        if resource:
            return [
                *_gate(pod),
                *_label(pod),
                *environment,
                *_devices(pod, index, resource, self._count(pod, namespace)),
            ]
        claim = claim_of(namespace, request) or CLAIM_PREFIX + self._name_suffix()
        return [*_gate(pod), *_label(pod), *_claim(pod, index, claim), *environment, *_requests_off(pod)]

    def _assumed(self, pod: Json) -> tuple[Problem, ...]:
        """What the sizing takes for granted of an engine that somebody brings; of our services their own check says."""
        metadata = pod.get("metadata", {})
        annotations = metadata.get("annotations") or {}
        if self._sizing is None or not _opted_in(annotations) or SERVICE_LABEL in (metadata.get("labels") or {}):
            return ()
        request = parse_request(annotations)
        if not isinstance(request, PodRequest):
            return ()
        try:
            sizing = self._sizing.size(request.sizing, request.profile)
        except SizingError:
            return ()
        assumed = loading_assumed(PRECISION, request.sizing.precision.value, sizing)
        return () if assumed is None else (assumed,)

    def _mount(self, pod: Json, namespace: str, index: int, request: PodRequest) -> Patch:
        return [] if self._profiles is None else self._profiles.patch(pod, namespace, index, request)

    def _resource(self, pod: Json, namespace: str, request: PodRequest) -> str:
        """The extended resource to ask for, "" for a ResourceClaim; a pod that has its claim already keeps it."""
        if self._binding is None or _names_claim(pod["spec"]):
            return ""
        return self._binding.resource(namespace, pod["metadata"].get("labels") or {}, request)

    def _count(self, pod: Json, namespace: str) -> int:
        return 1 if self._binding is None else self._binding.count(namespace, pod["metadata"].get("labels") or {})


def _opted_in(annotations: Mapping[str, str]) -> bool:
    return annotations.get(GPU_SHARING, "false") != "false"


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


def _label(pod: Json) -> Patch:
    labels = pod.get("metadata", {}).get("labels") or {}
    if labels.get(ENGINE_LABEL) == "true":
        return []
    if not labels:
        return [{"op": "add", "path": "/metadata/labels", "value": {ENGINE_LABEL: "true"}}]
    return [{"op": "add", "path": f"/metadata/labels/{_escaped(ENGINE_LABEL)}", "value": "true"}]


def _claim(pod: Json, index: int, name: str) -> Patch:
    spec = pod["spec"]
    operations: Patch = []
    if not _names_claim(spec):
        claim = {"name": CLAIM_REFERENCE, "resourceClaimName": name}
        operations += _append("/spec/resourceClaims", spec.get("resourceClaims") or [], claim)
    operations += _container_claim(f"/spec/containers/{index}", spec["containers"][index])
    for place, container in enumerate(spec.get("initContainers") or ()):
        if _asks_for_gpu(container):  # it runs before the model, on the same partition
            operations += _container_claim(f"/spec/initContainers/{place}", container)
    return operations


def _names_claim(spec: Json) -> bool:
    claims = spec.get("resourceClaims") or ()
    return any((claim.get("resourceClaimName") or "").startswith(CLAIM_PREFIX) for claim in claims)


def _container_claim(path: str, container: Json) -> Patch:
    if _has_claim(container):
        return []
    resources = container.get("resources")
    if not resources:
        return [{"op": "add", "path": f"{path}/resources", "value": {"claims": [{"name": CLAIM_REFERENCE}]}}]
    return _append(f"{path}/resources/claims", resources.get("claims") or [], {"name": CLAIM_REFERENCE})


def _environment(pod: Json, index: int, variables: Iterable[tuple[str, str]]) -> Patch:
    present = pod["spec"]["containers"][index].get("env") or []
    names = {item["name"] for item in present}
    missing = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{key}']"}}}
        for name, key in variables
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


def _off(path: str, resources: Json, kept: str = "") -> Patch:
    return [
        {"op": "remove", "path": f"{path}/{kind}/{_escaped(name)}"}
        for kind in ("limits", "requests")
        for name in resources.get(kind) or {}
        if name.startswith(RESOURCE_PREFIX) and name != kept
    ]


def _devices(pod: Json, index: int, resource: str, count: int) -> Patch:
    """`count` of `resource` for the container, and for init containers that ask: they run before it, on the same.

    Whatever else is asked of the device plugin goes: sidecars run beside the model, and would hold another device.
    """
    spec = pod["spec"]
    operations: Patch = []
    for place, container in enumerate(spec["containers"]):
        operations += _asking(f"/spec/containers/{place}", container, resource if place == index else "", count)
    for place, container in enumerate(spec.get("initContainers") or ()):
        before = _asks_for_gpu(container) and container.get("restartPolicy") != "Always"
        operations += _asking(f"/spec/initContainers/{place}", container, resource if before else "", count)
    return operations


def _asking(path: str, container: Json, resource: str, count: int) -> Patch:
    resources = container.get("resources") or {}
    operations = _off(f"{path}/resources", resources, resource)
    if not resource:
        return operations
    if not resources:
        operations.append({"op": "add", "path": f"{path}/resources", "value": {}})
    for kind in ("limits", "requests"):  # of extended resources both must be given, and be the same
        present = resources.get(kind)
        if not present:
            operations.append({"op": "add", "path": f"{path}/resources/{kind}", "value": {resource: str(count)}})
        elif str(present.get(resource)) != str(count):
            operations.append(
                {"op": "add", "path": f"{path}/resources/{kind}/{_escaped(resource)}", "value": str(count)}
            )
    return operations


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _append(path: str, present: list[Any], item: dict[str, Any]) -> Patch:
    if present:
        return [{"op": "add", "path": f"{path}/-", "value": item}]
    return [{"op": "add", "path": path, "value": [item]}]

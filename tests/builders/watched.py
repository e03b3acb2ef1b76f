"""Objects that the gateway watches, as the API server has them, decoded as the gateway does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.gateway.control.objects import (
    Claim,
    EnginePod,
    KeySecret,
    Policy,
    Service,
    ServiceSlice,
    kept,
    kept_of_pod,
    with_labels,
)
from controller.gateway.control.routing import BY_POD, BY_SERVICE, Stores, claim_pods, slice_pods, slice_services
from controller.runtime.cache.store import Store
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.metadata import PartialObject

SERVICE_LABEL = "aim.amd.com/inference-service"
PRIORITY = '{"scheduling-policy":"priority"}'


def metadata(name: str, namespace: str = "team-a", **more: Any) -> dict[str, Any]:
    """Name, namespace, a uid and a version."""
    return {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "resourceVersion": "1"} | more


def engine_pod(
    name: str = "chat-0",
    namespace: str = "team-a",
    *,
    ip: str | None = "10.0.0.1",
    service: str | None = "chat",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    image: str = "registry.example/aim-qwen:1",
    args: Sequence[str] = (),
    host_network: bool = False,
    deleted: bool = False,
) -> EnginePod:
    """A running pod that opted in, with what the operator wrote."""
    own = {SERVICE_LABEL: service} if service is not None else {}
    told = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-8B"}
    told = told | {"aim.amd.com/engine-args": PRIORITY} | dict(annotations or {})
    more = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    wire = {
        "metadata": metadata(name, namespace, labels=own | dict(labels or {}), annotations=told, **more),
        "spec": {"containers": [{"name": "main", "image": image, "args": list(args)}], "hostNetwork": host_network},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]} if ip else {"phase": "Pending"},
    }
    return kept_of_pod(typed(wire, EnginePod))


def entry(pod: EnginePod, *, address: str | None = None, ready: bool | None = True, **target: Any) -> dict[str, Any]:
    """A slice's entry for a pod; `target` replaces fields of its reference."""
    reference = {"kind": "Pod", "namespace": pod.metadata.namespace, "name": pod.metadata.name, "uid": pod.metadata.uid}
    shown = address if address is not None else pod.status.pod_ip
    return {"addresses": [shown], "conditions": {"ready": ready}, "targetRef": reference | target}


def service_slice(
    *entries: Mapping[str, Any],
    service: str = "chat",
    namespace: str = "team-a",
    name: str | None = None,
    ports: Iterable[Mapping[str, Any]] = ({"name": "http", "port": 8000, "protocol": "TCP"},),
    address_type: str = "IPv4",
) -> ServiceSlice:
    """A slice of a Service."""
    wire = {
        "metadata": metadata(name or f"{service}-x", namespace, labels={"kubernetes.io/service-name": service}),
        "addressType": address_type,
        "endpoints": [dict(each) for each in entries],
        "ports": [dict(port) for port in ports],
    }
    return kept(typed(wire, ServiceSlice))


def claim_of(
    *pods: EnginePod,
    name: str = "aim-a",
    node: str = "worker-0",
    partition: int = 3,
    phase: str = "Allocated",
    devices: bool = True,
    observed: bool = False,
    concurrency: int | None = 16,
    group: str | None = None,
) -> Claim:
    """The claim of one pod, or of a share group's members."""
    device = [{"bdf": "0000:05:00.0", "partition": partition, "mode": "CPX/NPS4", "bytes": 1}]
    named = [{"name": pod.metadata.name, "uid": pod.metadata.uid} for pod in pods]
    spec: dict[str, Any] = {"shareGroup": group} if group else {"podRef": named[0]}
    if concurrency:
        spec["model"] = {"id": "Qwen/Qwen3-8B", "maxConcurrency": concurrency}
    status: dict[str, Any] = {"phase": phase, "allocation": {"node": node, "devices": device if devices else []}}
    if group:
        status["shares"] = [{"pod": pod, "bytes": 1} for pod in named]
    if observed:
        status["observed"] = {"devices": device}
    return typed({"metadata": metadata(name, pods[0].metadata.namespace), "spec": spec, "status": status}, Claim)


def inference_service(
    name: str = "chat",
    namespace: str = "team-a",
    *,
    model: str = "Qwen/Qwen3-8B",
    qos: Mapping[str, Any] | None = None,
    policy: str | None = None,
) -> Service:
    """An InferenceService of ours."""
    spec: dict[str, Any] = {"model": {"id": model}, "qos": dict(qos or {})}
    if policy:
        spec["gpuSharing"] = {"policyRef": policy}
    return typed({"metadata": metadata(name, namespace), "spec": spec}, Service)


def policy_of(name: str = "shared", *, created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Policy:
    """A policy with what it says of requests, in the API's own spelling."""
    about = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "creationTimestamp": created}
    return typed({"metadata": about, "spec": spec}, Policy)


def namespace_of(name: str = "team-a", **labels: str) -> PartialObject:
    """A namespace with labels."""
    about = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "labels": labels}
    return with_labels(typed({"metadata": about}, PartialObject))


def key_secret(namespace: str = "team-a", **data: str) -> KeySecret:
    """The Secret of keys; `data` is base64 by name, as on the wire."""
    return typed({"metadata": metadata("aim-gpu-gateway-keys", namespace), "data": data}, KeySecret)


def stores(
    *,
    services: Iterable[Service] = (),
    slices: Iterable[ServiceSlice] = (),
    pods: Iterable[EnginePod] = (),
    claims: Iterable[Claim] = (),
    policies: Iterable[Policy] = (),
    namespaces: Iterable[PartialObject] = (),
) -> Stores:
    """Stores that hold these objects, with the indexes that routing reads."""
    made = Stores(
        Store(),
        Store({BY_SERVICE: slice_services, BY_POD: slice_pods}),
        Store(),
        Store({BY_POD: claim_pods}),
        Store(),
        Store(),
    )
    made.services.replace(services)
    made.slices.replace(slices)
    made.pods.replace(pods)
    made.claims.replace(claims)
    made.policies.replace(policies)
    made.namespaces.replace(namespaces)
    return made

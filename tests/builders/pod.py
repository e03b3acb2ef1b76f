"""Pods, opted in unless said otherwise: as the API server has them, and as the operator reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod, PodSpec

GATE = "aim.amd.com/partition"
OPTED_IN = {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "Qwen/Qwen3-8B"}

ASSIGNED = {
    "aim.amd.com/assigned-node": "worker-0",
    "aim.amd.com/assigned-partition": "0000:05:00.0/3 CPX/NPS4",
    "aim.amd.com/engine-args": "{}",
}
"""What the operator writes as it opens the gate."""


def container(
    name: str = "main",
    *,
    requests: Mapping[str, str] | None = None,
    limits: Mapping[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A container; requests and limits only where given."""
    resources = {kind: dict(asked) for kind, asked in (("requests", requests), ("limits", limits)) if asked is not None}
    return {"name": name, "image": "registry.example/model"} | ({"resources": resources} if resources else {}) | fields


def template(
    *containers: Mapping[str, Any], annotations: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A pod as it comes to the webhook: no name, uid or status yet."""
    return {
        "metadata": {"generateName": "model-", "annotations": dict(OPTED_IN if annotations is None else annotations)},
        "spec": {"containers": [dict(each) for each in containers or (container(),)], **spec},
    }


def pod(
    name: str = "model-0",
    *containers: Mapping[str, Any],
    namespace: str = "team-a",
    claim: str | None = "aim-a",
    gates: Sequence[str] = (GATE,),
    node: str | None = None,
    phase: str = "Pending",
    version: str = "1",
    annotations: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A stored pod; `claim` None asks for no claim of ours, `metadata` adds to or replaces fields there."""
    made = template(*containers, annotations=annotations, **spec)
    made["metadata"] = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": version,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": made["metadata"]["annotations"],
    } | dict(metadata or {})
    if gates:
        made["spec"]["schedulingGates"] = [{"name": gate} for gate in gates]
    if claim is not None:
        made["spec"]["resourceClaims"] = [{"name": "aim-gpu", "resourceClaimName": claim}]
    if node is not None:
        made["spec"]["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod"} | made | {"status": {"phase": phase}}


def typed_pod(name: str = "model-0", *containers: Mapping[str, Any], **fields: Any) -> Pod:
    """The pod of `pod`, decoded."""
    return typed(pod(name, *containers, **fields), Pod)


def pod_spec(*containers: Mapping[str, Any], **fields: Any) -> PodSpec:
    """The spec of `template`, decoded."""
    return typed(template(*containers, **fields)["spec"], PodSpec)

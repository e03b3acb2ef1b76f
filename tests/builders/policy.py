"""Policies: as placement sees them on one node, and the GPUSharingPolicy object."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.gpu.mode import Mode
from controller.placement.snapshot import PolicyView


def policy_view(name: str = "shared", *, modes: Sequence[str] = (), **fields: Any) -> PolicyView:
    """A policy that lets idle GPUs change by itself and forbids nothing else."""
    values: dict[str, Any] = {"repartition": True, "approval": "Auto", "validated_only": False} | fields
    return PolicyView(name=name, modes=frozenset(map(Mode.parse, modes)), **values)


def policy_object(
    name: str = "shared",
    *,
    node_labels: Mapping[str, str] | None = None,
    namespace_labels: Mapping[str, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    version: str = "1",
    **spec: Any,
) -> dict[str, Any]:
    """The GPUSharingPolicy as the API server has it; `spec` in its own spelling."""
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {
            "name": name,
            "uid": f"policy-{name}",
            "resourceVersion": version,
            "creationTimestamp": created,
        },
        "spec": {
            "nodeSelector": {"matchLabels": dict(node_labels or {})},
            "namespaceSelector": {"matchLabels": dict(namespace_labels or {})},
            **spec,
        },
    }

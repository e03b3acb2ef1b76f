"""The smallest good object of each kind, and the same with fields changed."""

from copy import deepcopy
from typing import Any

from api.group import GROUP, V1ALPHA1, V1BETA1

BDFS = ("0000:05:00.0", "0000:26:00.0")


def layout(*modes: str, bdfs: tuple[str, ...] = BDFS) -> dict[str, Any]:
    """A layout of as many GPUs as there are modes."""
    return {"gpus": [{"bdf": bdf, "mode": mode} for bdf, mode in zip(bdfs, modes, strict=False)]}


SPECS: dict[str, dict[str, Any]] = {
    "InferenceService": {"model": {"id": "Qwen/Qwen3-8B"}},
    "GPUPartitionClaim": {"podRef": {"name": "chat-0", "uid": "u-1"}, "requirement": {"memory": "24Gi"}},
    "GPUNode": {},
    "RepartitionPlan": {
        "node": "n",
        "from": layout("SPX/NPS1", "SPX/NPS1"),
        "to": layout("CPX/NPS4", "CPX/NPS4"),
        "claimRef": {"namespace": "team-a", "name": "c", "uid": "u-1"},
    },
    "GPUSharingPolicy": {},
    "ModelProfile": {
        "modelId": "a/b",
        "architecture": {
            "totalParams": 1_000_000_000_000,
            "layers": 32,
            "hiddenSize": 4096,
            "intermediateSize": 14336,
            "attentionHeads": 32,
            "kvHeads": 8,
            "headDim": 128,
            "vocabSize": 32000,
            "maxPositionEmbeddings": 8192,
        },
    },
}


FLAT_SPECS: dict[str, dict[str, Any]] = {"InferenceService": {"modelId": "Qwen/Qwen3-8B"}, "GPUSharingPolicy": {}}
"""The same in v1alpha1."""


def small_object(
    kind: str, changes: dict[str, Any] | None = None, name: str = "checked", *, flat: bool = False
) -> dict[str, Any]:
    """The smallest good object of a kind, with dotted paths of its spec set; None takes a field away.

    `flat` makes it one of v1alpha1.
    """
    spec = deepcopy((FLAT_SPECS if flat else SPECS)[kind])
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        target = spec
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is None:
            del target[last]
        else:
            target[last] = value
    version = V1ALPHA1 if flat else V1BETA1
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}

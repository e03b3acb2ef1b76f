"""Inventories of GPUs, held once where nodes have the same: a fleet of one make reports some dozen GPUs, thousandfold.

A node's GPUs are told apart by their addresses alone, and nodes of one make have the same addresses, modes and
devices. Kept apart, 10,000 nodes of 64 partitions take 1.2 GB as decoded JSON and as models; nobody changes either, so
equal parts may be one. A GPU that differs in little, by a count of errors say, still shares its partitions.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from api.v1beta1 import GPUNode
from api.v1beta1.gpu_node import GPU, Partition
from controller.runtime.cache.informer import without_managed_fields
from controller.runtime.manifest import Manifest

_MOST: Final = 16_384
"""A table starts over at this many parts, some 40 MB: what is repeated is soon in it again, what was once is gone."""


_Raw: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class _Part:
    """One GPU or partition as it was reported, and as it was read; None until somebody reads it."""

    raw: _Raw
    model: Any = None


class Inventories:
    """Reads GPUNodes. One for an informer and its table; private to the operator's one loop."""

    def __init__(self) -> None:
        self._gpus: dict[bytes, _Part] = {}
        self._partitions: dict[bytes, _Part] = {}

    def share(self, gpu_node: Manifest) -> Manifest:
        """The GPUNode as the informer is to keep it: equal to itself, made of parts that others have, too."""
        kept = without_managed_fields(gpu_node)
        status: Any = kept.get("status")
        reported = _parts(status, "gpus")
        if reported is not None:
            status["gpus"] = [self._gpu(one).raw for one in reported]
        return kept

    def read(self, gpu_node: Manifest) -> GPUNode:
        """The GPUNode as a model. Raises ValueError for one that is not understood."""
        status: Any = gpu_node.get("status")
        reported = _parts(status, "gpus")
        if reported is None:
            return GPUNode.model_validate(gpu_node)
        return GPUNode.model_validate({**gpu_node, "status": {**status, "gpus": [self._read(one) for one in reported]}})

    def _gpu(self, raw: _Raw) -> _Part:
        known, key = _known(self._gpus, raw)
        if known is not None:
            return known
        reported = _parts(raw, "partitions")
        shared = raw if reported is None else {**raw, "partitions": [self._partition(one).raw for one in reported]}
        made = self._gpus[key] = _Part(shared)
        return made

    def _partition(self, raw: _Raw) -> _Part:
        known, key = _known(self._partitions, raw)
        if known is None:
            known = self._partitions[key] = _Part(raw)
        return known

    def _read(self, raw: _Raw) -> GPU:
        found = self._gpu(raw)
        if found.model is None:
            reported = _parts(found.raw, "partitions")
            read = {} if reported is None else {"partitions": [self._read_partition(one) for one in reported]}
            found.model = GPU.model_validate({**found.raw, **read})
        model: GPU = found.model
        return model

    def _read_partition(self, raw: _Raw) -> Partition:
        found = self._partition(raw)
        if found.model is None:
            found.model = Partition.model_validate(found.raw)
        model: Partition = found.model
        return model


def _parts(whole: Any, name: str) -> list[_Raw] | None:
    """The objects that are listed there; None where it is no list of objects."""
    found = whole.get(name) if isinstance(whole, dict) else None
    return found if isinstance(found, list) and all(isinstance(one, dict) for one in found) else None


def _known(table: dict[bytes, _Part], raw: _Raw) -> tuple[_Part | None, bytes]:
    if len(table) >= _MOST:
        table.clear()
    key = msgspec.json.encode(raw)
    return table.get(key), key

"""The node's ResourceSlices: what the scheduler may allocate here. Only simulated nodes publish their own.

A pool is the node's; all its slices carry one generation, which rises with every change, so that the scheduler never
mixes an old slice with a new one. On hardware AMD's DRA driver does this.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.agent.backend import NodeHardware
from controller.agent.driver_attributes import DeviceFacts, device
from controller.binding.dra import DRIVER
from controller.runtime.client.client import Client
from controller.runtime.client.core import RESOURCE_SLICES
from controller.runtime.client.errors import NotFound
from controller.runtime.manifest import Manifest

MAX_DEVICES = 128
"""Devices that the API takes in one slice."""


def devices(hardware: NodeHardware, withdrawn: frozenset[str]) -> list[dict[str, Any]]:
    """The devices to publish: every partition of every GPU but those of the GPUs `withdrawn`, by address and id."""
    return [
        device(DeviceFacts(hardware, gpu, partition))
        for gpu in sorted(hardware.gpus, key=lambda gpu: gpu.bdf)
        if gpu.bdf not in withdrawn
        for partition in gpu.partitions
    ]


def pool(node: str, published: Sequence[Mapping[str, Any]], generation: int) -> dict[str, dict[str, Any]]:
    """Slice specs by name. A pool without devices is one empty slice: "nothing" is said, not left to guess."""
    parts = [published[start : start + MAX_DEVICES] for start in range(0, len(published), MAX_DEVICES)] or [[]]
    return {
        f"{node}-{DRIVER}-{number}": {
            "driver": DRIVER,
            "nodeName": node,
            "pool": {"name": node, "generation": generation, "resourceSliceCount": len(parts)},
            "devices": list(part),
        }
        for number, part in enumerate(parts)
    }


class SlicePublisher:
    """Brings the node's slices to a wanted state. One `publish` at a time."""

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node

    async def publish(
        self, wanted: Sequence[Mapping[str, Any]], owner: Mapping[str, Any] | None, *, additions: bool = True
    ) -> bool:
        """Make the pool hold exactly `wanted`; whether anything was written.

        `owner`: the owner reference that lets the slices go with their Node; None leaves them alone. Slices of this
        node and driver under other names are deleted. `additions` False: devices that are not in the pool now are left
        out. Raises ApiError; calling again completes what was begun.
        """
        present = await self._present()
        if not additions:
            known = {device["name"] for obj in present.values() for device in obj["spec"].get("devices") or ()}
            wanted = [device for device in wanted if device["name"] in known]
        generation = max((_generation(obj) for obj in present.values()), default=0)
        if _same(present, pool(self._node, wanted, generation), owner):
            return False
        specs = pool(self._node, wanted, generation + 1)
        for name, spec in specs.items():
            await self._write(name, spec, present.get(name), owner)
        for name in present.keys() - specs.keys():
            await self._delete(name)
        return True

    async def _present(self) -> dict[str, Manifest]:
        selector = f"spec.nodeName={self._node},spec.driver={DRIVER}"
        listed = await self._client.list(RESOURCE_SLICES, field_selector=selector)
        return {obj["metadata"]["name"]: obj for obj in listed.items}

    async def _write(
        self, name: str, spec: Manifest, present: Manifest | None, owner: Mapping[str, Any] | None
    ) -> None:
        metadata: Manifest = {"name": name, "ownerReferences": [dict(owner)]} if owner else {"name": name}
        if present is None:
            await self._client.create(RESOURCE_SLICES, {"metadata": metadata, "spec": spec})
            return
        kept = {**present["metadata"], **metadata}
        await self._client.replace(RESOURCE_SLICES, {**present, "metadata": kept, "spec": spec})

    async def _delete(self, name: str) -> None:
        try:
            await self._client.delete(RESOURCE_SLICES, name)
        except NotFound:
            return  # somebody was quicker


def _generation(obj: Manifest) -> int:
    generation: int = obj["spec"]["pool"]["generation"]
    return generation


def _same(present: Mapping[str, Manifest], wanted: Mapping[str, Manifest], owner: Mapping[str, Any] | None) -> bool:
    if present.keys() != wanted.keys():
        return False
    return all(_shown(present[name]["spec"]) == _shown(wanted[name]) for name in wanted) and all(
        owner is None or obj["metadata"].get("ownerReferences") == [dict(owner)] for obj in present.values()
    )


def _shown(spec: Manifest) -> Manifest:
    # the API server drops an empty list
    return {**spec, "devices": spec.get("devices") or []}

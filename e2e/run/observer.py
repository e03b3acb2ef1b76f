"""Watches a plane as its administrator: one informer a kind, and the faults of every moment, not of the last only."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import DEPLOYMENTS, PODS, RESOURCE_CLAIMS
from controller.runtime.client.resource import Resource
from e2e.plane import Plane
from e2e.run.checks import (
    Fault,
    claims_reserved_twice,
    devices_given_twice,
    partitions_held_twice,
    shares_exceeded,
)
from e2e.run.latency import GateTimes
from e2e.run.shared_holdings import SharedHoldings
from e2e.run.world import World, allocated_devices, held_partitions

_SYNC_SECONDS = 30.0


def _ours(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource("aim.amd.com", "v1beta1", plural, kind, namespaced=namespaced)


_WATCHED: Mapping[str, Resource] = {
    "pods": PODS,
    "claims": _ours("gpupartitionclaims", "GPUPartitionClaim"),
    "resource_claims": RESOURCE_CLAIMS,
    "services": _ours("inferenceservices", "InferenceService"),
    "deployments": DEPLOYMENTS,
    "gpu_nodes": _ours("gpunodes", "GPUNode", namespaced=False),
    "plans": _ours("repartitionplans", "RepartitionPlan", namespaced=False),
}


_KSERVE = {"kserve_services": Resource("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")}


class Observer:
    """What a run knows of the cluster. `double_allocations` grows with every fault ever seen and never shrinks."""

    def __init__(self, client: Client, *, kserve: bool = False) -> None:
        watched = {**_WATCHED, **_KSERVE} if kserve else _WATCHED
        self._informers = {name: Informer(client, resource) for name, resource in watched.items()}
        self.gate_times = GateTimes()
        self.double_allocations: set[Fault] = set()
        self._partitions = SharedHoldings(held_partitions)
        self._devices = SharedHoldings(allocated_devices)
        self._informers["pods"].add_handler(self._time)
        self._informers["claims"].add_handler(self._check_claims)
        self._informers["resource_claims"].add_handler(self._check_resource_claims)

    @property
    def world(self) -> World:
        """Everything as the watches show it now."""
        return World(**{name: tuple(informer.store.values()) for name, informer in self._informers.items()})

    async def wait_synced(self) -> None:
        """Until every kind was listed. Raises CacheNotSynced."""
        for informer in self._informers.values():
            await informer.wait_synced(_SYNC_SECONDS)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.run())

    def _time(self, event: StoreEvent) -> None:
        self.gate_times.take(event.old, event.new, time.monotonic(), initial=event.initial)

    def _check_claims(self, event: StoreEvent) -> None:
        claims = self._partitions.take(event.old, event.new)
        self.double_allocations |= {*partitions_held_twice(claims), *shares_exceeded(claims)}

    def _check_resource_claims(self, event: StoreEvent) -> None:
        claims = self._devices.take(event.old, event.new)
        self.double_allocations |= {*devices_given_twice(claims), *claims_reserved_twice(claims)}


@asynccontextmanager
async def observe(plane: Plane, *, kserve: bool = False) -> AsyncIterator[Observer]:
    """An observer that has seen everything once, and watches until the block ends. `kserve`: the plane has it."""
    configuration = ClientConfiguration.from_kubeconfig(plane.kubeconfig)
    async with Client(configuration, user_agent="aim-run") as client:
        observer = Observer(client, kserve=kserve)
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(observer.run())
                try:
                    await observer.wait_synced()
                    yield observer
                finally:
                    watching.cancel()
        except BaseExceptionGroup as group_of_errors:
            if len(group_of_errors.exceptions) == 1:  # the block's own error, which the group has wrapped
                raise group_of_errors.exceptions[0] from None
            raise

"""Engines as the API server shows them now: informers in, targets out."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import structlog

from api.group import ENGINE_LABEL
from controller.exporter.engines.gateway_presence import GatewayPresence
from controller.exporter.engines.objects import EnginePod, kept_of_pod, kept_of_slice
from controller.exporter.engines.targets import Target, service_of, target_of
from controller.exporter.engines.totals import ServiceKey
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.client.client import Client
from controller.runtime.client.core import ENDPOINT_SLICES, PODS
from controller.runtime.clock import Clock
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL, EndpointSlice
from controller.runtime.pod_addresses import AddressFile, AddressFileError, AsShown, Resolver

BY_SERVICE: Final = "service"
BY_POD: Final = "pod"

SETTLE_SECONDS: Final = 1.0
"""From a change to the next look at all pods, which takes some 10 us a pod."""
LOOK_SECONDS: Final = 0.25
"""Between two looks at a file of addresses."""


class GatewayService(NamedTuple):
    """The Kubernetes Service that lists the gateway's replicas. `tells_all`: of annotated pods and KServe's, too, since
    nobody reaches engines but by the gateway; else of our InferenceServices alone."""

    namespace: str
    name: str
    tells_all: bool = False


def slice_services(found: EndpointSlice) -> Iterable[str]:
    """Index of slices: the Kubernetes Service, "namespace/name"."""
    name = found.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{found.metadata.namespace}/{name}",) if name else ()


def slice_pods(found: EndpointSlice) -> Iterable[str]:
    """Index of slices: the pods of their own namespace that they list, "namespace/name"."""
    namespace = found.metadata.namespace
    targets = (one.target_ref for one in found.endpoints if one.target_ref is not None)
    return {f"{namespace}/{target.name}" for target in targets if target.namespace == namespace}


class Watching:
    """What there is to read. `informers` have to be in sync first.

    `gateway`: whose EndpointSlices say that one is there; None: there is none. `addresses` stands for the addresses
    that the API server shows.
    """

    def __init__(
        self, client: Client, clock: Clock, *, gateway: GatewayService | None, addresses: AddressFile | None = None
    ) -> None:
        self._clock, self._gateway, self._addresses = clock, gateway, addresses
        self._resolver: Resolver = addresses or AsShown()
        self._pods = Informer(
            client, PODS, into=EnginePod, label_selector=f"{ENGINE_LABEL}=true", project=kept_of_pod, clock=clock
        )
        self._slices = Informer(
            client,
            ENDPOINT_SLICES,
            into=EndpointSlice,
            project=kept_of_slice,
            indexes={BY_SERVICE: slice_services, BY_POD: slice_pods},
            clock=clock,
        )
        self._presence = GatewayPresence()
        self._older: set[str] = set()
        self._known: dict[str, ServiceKey] = {}
        self._woken = asyncio.Event()
        self._told = ""
        self._log = structlog.get_logger(__name__)
        self._pods.add_handler(self._pod_changed)
        self._slices.add_handler(self._changed)

    @property
    def informers(self) -> tuple[Informer[Any], ...]:
        """What has to be in sync before anything is read."""
        return (self._pods, self._slices)

    def targets(self) -> dict[str, Target]:
        """The engines to read now, by their pods' uids; those that are reached."""
        found: dict[str, Target] = {}
        for pod in self._pods.store.values():
            target = target_of(pod, self._service(pod), self._listing(pod))
            address = self._resolver.resolve(target.uid, target.address) if target is not None else None
            if target is not None and address is not None:
                found[target.uid] = Target(target.uid, target.service, target.ours, address)
        return found

    def services(self) -> dict[ServiceKey, bool]:
        """Every service that has a pod now, and whether it is an InferenceService of ours."""
        return {self._service(pod): pod.ours for pod in self._pods.store.values() if pod.takes_part}

    def pods(self) -> set[str]:
        """Every pod that is there, by its uid."""
        return {pod.metadata.uid for pod in self._pods.store.values()}

    def is_older(self, uid: str) -> bool:
        """Whether the pod was there before we looked first: what it counted by then nobody saw happen."""
        return uid in self._older

    def told_by_gateway(self, *, ours: bool) -> bool:
        """Whether a gateway that is there, or was some minutes ago, tells of the requests of a service itself.

        `ours`: whether that is an InferenceService of ours.
        """
        if self._gateway is None or not (ours or self._gateway.tells_all):
            return False
        slices = self._slices.store.by_index(BY_SERVICE, f"{self._gateway.namespace}/{self._gateway.name}")
        return self._presence.look(slices, self._clock.monotonic())

    async def wait_changed(self) -> None:
        """Until pods, slices or addresses have changed since the last time, and a moment, in which more comes."""
        while not self._woken.is_set():
            if self._addresses is None:
                await self._woken.wait()
            else:
                self._look(self._addresses)
                await self._clock.sleep(LOOK_SECONDS)
        self._woken.clear()
        await self._clock.sleep(SETTLE_SECONDS)

    def _service(self, pod: EnginePod) -> ServiceKey:
        """Whose a pod is, once it is ready and known, for as long as it lives.

        Who may change its labels, or the Services that list it, could else make new series every second.
        """
        known = self._known.get(pod.metadata.uid)
        if known is not None:
            return known
        found = service_of(pod, self._listing(pod))
        if pod.ready and found.service:
            self._known[pod.metadata.uid] = found
        return found

    def _listing(self, pod: EnginePod) -> list[EndpointSlice]:
        return self._slices.store.by_index(BY_POD, f"{pod.metadata.namespace}/{pod.metadata.name}")

    def _pod_changed(self, event: StoreEvent[EnginePod]) -> None:
        uid = event.object.metadata.uid
        if event.initial:
            self._older.add(uid)
        if event.type is EventType.DELETED:
            self._older.discard(uid)
            self._known.pop(uid, None)
        self._changed(event)

    def _changed(self, event: StoreEvent[Any]) -> None:
        if not event.unchanged:
            self._woken.set()

    def _look(self, addresses: AddressFile) -> None:
        try:
            if addresses.look():
                self._woken.set()
        except (AddressFileError, OSError) as error:
            if str(error) != self._told:
                self._told = str(error)
                self._log.warning("addresses not read", problem=self._told)

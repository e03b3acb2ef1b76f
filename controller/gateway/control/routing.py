"""The routes of services, each made from what the stores hold of it, and which of them an event may change. Pure.

Nothing is made twice: an event names the few services that it can concern, and only their routes are made anew.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from api.group import SERVICE_LABEL
from controller.gateway.configuration import Endpoint, ServiceRoute
from controller.gateway.control.members import PREDICTOR, Entry, Found, Rejected, member, service_of
from controller.gateway.control.objects import (
    KSERVE_LABEL,
    Claim,
    EnginePod,
    PodReference,
    Policy,
    Service,
    ServiceSlice,
)
from controller.gateway.control.rules import Rules
from controller.gateway.control.services import annotated_route, policy_ref_of, route_of
from controller.runtime.cache.store import Store
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL
from controller.runtime.objects.metadata import EMPTY, PartialObject
from controller.runtime.pod_addresses import Resolver

BY_SERVICE: Final = "service"
BY_POD: Final = "pod"


def slice_services(found: ServiceSlice) -> tuple[str, ...]:
    """Index of slices: the Kubernetes Service, "namespace/name"."""
    name = found.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{found.metadata.namespace}/{name}",) if name else ()


def slice_pods(found: ServiceSlice) -> set[str]:
    """Index of slices: the pods they list, "namespace/name"."""
    namespace = found.metadata.namespace
    return {f"{namespace}/{one.target_ref.name}" for one in found.endpoints if one.target_ref is not None}


def claim_pods(claim: Claim) -> tuple[str, ...]:
    """Index of claims: the uids of the pods that hold one."""
    return claim.pod_uids


@dataclass(frozen=True, slots=True)
class Stores:
    """What is known of the cluster. Slices are indexed by `BY_SERVICE` and `BY_POD`, claims by `BY_POD`."""

    services: Store[Service]
    slices: Store[ServiceSlice]
    pods: Store[EnginePod]
    claims: Store[Claim]
    policies: Store[Policy]
    namespaces: Store[PartialObject]


@dataclass(frozen=True, slots=True)
class Made:
    """One service's route, None where there is nothing to route, and what was found amiss on the way.

    `rejected` has the entries of slices that are no engines, by the pods they name.
    """

    route: ServiceRoute | None
    rejected: dict[str, Rejected] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class Routing:
    """Makes routes. `rules` is replaced when policies change."""

    def __init__(self, stores: Stores, resolver: Resolver) -> None:
        self._stores = stores
        self._resolver = resolver
        self.rules = Rules(())

    def read_policies(self) -> None:
        """Take the policies of now."""
        self.rules = Rules(self._stores.policies.values())

    def keys(self) -> set[str]:
        """Every service that may have a route."""
        keys = set(self._stores.services.keys())
        for found in self._stores.slices.values():
            keys.update(_served_by(found))
        return keys

    def make(self, key: str) -> Made:
        """The route of the service of that key."""
        namespace, _, name = key.partition("/")
        rejected: dict[str, Rejected] = {}
        problems: list[str] = []
        service = self._stores.services.get(key)
        members = self._members(namespace, name, service, rejected)
        endpoints = tuple(self._endpoints(members))
        pods = [pod for pod, _ in members]
        if service is None and not pods:
            return Made(None, rejected)
        rule = self.rules.ruling(policy_ref_of(service, pods), self._labels(namespace))
        if service is not None:
            route = route_of(service, rule, endpoints, problems)
        else:
            route = annotated_route(namespace, name, pods, rule, endpoints, problems)
        return Made(route, rejected, tuple(problems))

    def _members(
        self, namespace: str, name: str, service: Service | None, rejected: dict[str, Rejected]
    ) -> list[tuple[EnginePod, Found]]:
        """The service's engines with their pods, each once, in the order of their uids."""
        found: dict[str, tuple[EnginePod, Found]] = {}
        for entry in sorted(self._entries(namespace, name), key=lambda entry: entry.order):
            pod = self._stores.pods.get(f"{namespace}/{entry.pod_name}")
            if service is None and (pod is None or not pod.opted_in):
                continue  # any Service of the cluster has such entries
            if pod is not None and service_of(pod, self._listing(pod)) != name:
                continue  # another service's, which finds it by itself
            one = member(entry, pod, self._claim(pod) if pod is not None else None, service)
            if isinstance(one, Rejected):
                rejected.setdefault(entry.shown, one)
            elif pod is not None:
                found.setdefault(one.uid, (pod, one))
        for pod, _ in found.values():  # an address that is not used does no harm to a pod with one that is
            rejected.pop(f"{namespace}/{pod.metadata.name}", None)
        return [found[uid] for uid in sorted(found)]

    def _listing(self, pod: EnginePod) -> Iterator[str]:
        """The names of the Kubernetes Services whose slices list a pod."""
        for found in self._stores.slices.by_index(BY_POD, f"{pod.metadata.namespace}/{pod.metadata.name}"):
            name = found.metadata.labels.get(SERVICE_NAME_LABEL)
            if name:
                yield name

    def _entries(self, namespace: str, name: str) -> Iterator[Entry]:
        for service in (name, name + PREDICTOR):
            for found in self._stores.slices.by_index(BY_SERVICE, f"{namespace}/{service}"):
                for endpoint in found.endpoints:
                    yield Entry(found, endpoint)

    def _endpoints(self, members: Iterable[tuple[EnginePod, Found]]) -> Iterator[Endpoint]:
        for _, found in members:
            address = self._resolver.resolve(found.uid, found.address)
            if address is not None:
                yield found.at(address)

    def _claim(self, pod: EnginePod) -> Claim | None:
        claims = self._stores.claims.by_index(BY_POD, pod.metadata.uid)
        ours = [claim for claim in claims if claim.metadata.namespace == pod.metadata.namespace]
        return min(ours, key=lambda claim: (claim.status.allocation is None, claim.metadata.name), default=None)

    def _labels(self, namespace: str) -> dict[str, str]:
        found = self._stores.namespaces.get(namespace)
        return dict(found.metadata.labels if found is not None else EMPTY)

    # Which services an object concerns.

    def of_slice(self, found: ServiceSlice) -> Iterator[str]:
        """The services whose engines a slice may list, and those that others list its pods for."""
        yield from _served_by(found)
        for pod in slice_pods(found):
            for other in self._stores.slices.by_index(BY_POD, pod):
                yield from _served_by(other)

    def of_pod(self, pod: EnginePod) -> Iterator[str]:
        """The services that a pod may be an engine of."""
        namespace, labels = pod.metadata.namespace, pod.metadata.labels
        for label in (SERVICE_LABEL, KSERVE_LABEL):
            if label in labels:
                yield f"{namespace}/{labels[label]}"
        for found in self._stores.slices.by_index(BY_POD, f"{namespace}/{pod.metadata.name}"):
            yield from _served_by(found)

    def of_claim(self, claim: Claim) -> Iterator[str]:
        """The services whose engines hold a claim."""
        holders: tuple[PodReference, ...] = tuple(share.pod for share in claim.status.shares)
        if claim.spec.pod_ref is not None:
            holders = (claim.spec.pod_ref,)
        for holder in holders:
            pod = self._stores.pods.get(f"{claim.metadata.namespace}/{holder.name}")
            if pod is not None:
                yield from self.of_pod(pod)


def _served_by(found: ServiceSlice) -> Iterator[str]:
    """The services that a slice may be of: of its Kubernetes Service, and of that as KServe's predictor."""
    for service in slice_services(found):
        yield service
        if service.endswith(PREDICTOR):
            yield service.removesuffix(PREDICTOR)

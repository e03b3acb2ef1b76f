"""Who is an engine of which service: an entry of an EndpointSlice, believed only as far as others vouch for it.

Whoever may edit a namespace can write EndpointSlices, Services and labels there. So an entry says no more than that a
pod is Ready, and everything else comes from those whom such a user cannot speak for:

    the pod is in the slice's own namespace, by uid       the API server
    the address is one of the pod's own, not its node's   the kubelet
    it has a partition, and which                         the operator: claims are its alone to write
    it is of one service                                  the pod's label, one name in its own namespace

Nothing here reads another namespace: whatever one is made to point at, another team's engine never becomes a member.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from api.group import ENGINE_ARGS, MAX_CONCURRENCY, SERVICE_LABEL
from controller.gateway.configuration import Endpoint
from controller.gateway.control.objects import KSERVE_LABEL, Claim, EnginePod, Service, ServiceSlice, SliceEndpoint
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL, is_https, serving_port
from controller.runtime.objects.metadata import EMPTY
from controller.runtime.pod_addresses import Address

DEFAULT_SEATS: Final = 8
"""What a pod is sized for that says nothing; sizing's own default, and a test that it is."""

MOST_SEATS: Final = 65_536
"""The largest maxConcurrency that the API takes."""

HOLDING: Final = frozenset({"Bound", "Allocated"})
"""Phases of a claim that has its partition."""

PREDICTOR: Final = "-predictor"

_AIM_IMAGE: Final = re.compile(r"(?:^|/)aim-[^/]+$")
"""Images of AMD's catalogue, whatever registry they were copied to: they read AIM_ENGINE_ARGS."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an entry of a slice is no engine of ours: a CamelCase reason, and what the pod or entry is."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of one slice, and the port of that slice."""

    slice: ServiceSlice
    endpoint: SliceEndpoint

    @property
    def service_name(self) -> str:
        """The Kubernetes Service whose slice it is, "" where the slice does not say."""
        return self.slice.metadata.labels.get(SERVICE_NAME_LABEL, "")

    @property
    def pod_name(self) -> str:
        """The name of the pod that the entry names, "" where it names none."""
        return self.endpoint.target_ref.name if self.endpoint.target_ref is not None else ""

    @property
    def shown(self) -> str:
        """The entry as people know it: its pod, or else its addresses."""
        namespace = self.slice.metadata.namespace
        return f"{namespace}/{self.pod_name}" if self.pod_name else f"{namespace} {','.join(self.endpoint.addresses)}"

    @property
    def order(self) -> tuple[bool, str, str]:
        """IPv4 first, then by names: of several entries for one pod the first one counts, always the same."""
        return self.slice.address_type != "IPv4", self.service_name, self.slice.metadata.name


@dataclass(frozen=True, slots=True)
class Found:
    """An engine as a slice and a claim show it, before anybody says where it is really reached."""

    uid: str
    address: Address
    partition: str
    seats: int
    takes_priority: bool
    ready: bool

    def at(self, address: Address) -> Endpoint:
        """The engine, reached at an address."""
        return Endpoint(
            uid=self.uid,
            host=address.host,
            port=address.port,
            partition=self.partition,
            seats=self.seats,
            tls=address.tls,
            takes_priority=self.takes_priority,
            ready=self.ready,
        )


def service_of(pod: EnginePod, services: Iterable[str]) -> str:
    """The name under which the pod's service is routed, in the pod's namespace: one, whatever lists the pod.

    Pods of an InferenceService, ours or KServe's, bear its name. Others are known by the Kubernetes Service that lists
    them, of several (a headless one beside another, say) by the first of `services` by name; "" where there is none.
    """
    labels = pod.metadata.labels
    return labels.get(SERVICE_LABEL) or labels.get(KSERVE_LABEL) or min(services, default="")


def member(
    entry: Entry, pod: EnginePod | None, claim: Claim | None, service: Service | None = None
) -> Found | Rejected:
    """The engine of an entry, or why there is none.

    `pod` is the one of the entry's name in the slice's namespace, `claim` the one that names the pod's uid, `service`
    our InferenceService of the name that is routed; None where the API server has none.
    """
    if (refusal := _no_pod_here(entry)) is not None:
        return refusal
    if pod is None:
        return Rejected("PodNotFound", "names no pod of the slice's namespace")
    if (refusal := _not_the_pod(entry, pod) or _not_the_service(entry, pod, service)) is not None:
        return refusal
    if not pod.opted_in:
        return Rejected("NotOptedIn", "is a pod that asks for no partition")
    address = _own_address(entry, pod)
    if isinstance(address, Rejected):
        return address
    if claim is None:
        return Rejected("NoClaim", "has no GPUPartitionClaim")
    partition = _partition(claim, pod)
    if partition is None:
        return Rejected("NotBound", "has no partition yet")
    conditions = entry.endpoint.conditions
    ready = conditions.ready is not False and not conditions.terminating and pod.metadata.deletion_timestamp is None
    return Found(pod.metadata.uid, address, partition, seats_of(pod, claim), takes_priority(pod), ready)


def _no_pod_here(entry: Entry) -> Rejected | None:
    target = entry.endpoint.target_ref
    if target is None or target.kind != "Pod":
        return Rejected("NoPod", "names no pod")
    if target.namespace != entry.slice.metadata.namespace:
        return Rejected("OtherNamespace", "names a pod of another namespace")
    return None


def _not_the_pod(entry: Entry, pod: EnginePod) -> Rejected | None:
    target = entry.endpoint.target_ref
    named = (target.namespace, target.name, target.uid) if target is not None else ()
    if named != (pod.metadata.namespace, pod.metadata.name, pod.metadata.uid):
        return Rejected("PodNotFound", "names a pod that is gone")
    return None


def _not_the_service(entry: Entry, pod: EnginePod, service: Service | None) -> Rejected | None:
    name = entry.service_name
    if service is not None and pod.metadata.labels.get(SERVICE_LABEL) != service.metadata.name:
        return Rejected("NotOfService", f"is no pod of InferenceService {service.metadata.name}, by its labels")
    owner = pod.metadata.labels.get(SERVICE_LABEL) or pod.metadata.labels.get(KSERVE_LABEL)
    if owner and name not in (owner, owner + PREDICTOR):
        return Rejected("OtherService", f"is a pod of InferenceService {owner}, reached by the Service of that name")
    return None if name else Rejected("NoService", "is of no Service")


def _own_address(entry: Entry, pod: EnginePod) -> Address | Rejected:
    if pod.spec.host_network:
        return Rejected("HostNetwork", "has its node's address, which others share")
    own = [address for address in entry.endpoint.addresses if address in pod.addresses]
    if not own:
        return Rejected("AddressNotOfPod", "has an address that its pod has not")
    port = serving_port(entry.slice.ports)
    if port is None or port.port is None:
        return Rejected("NoPort", "has no TCP port")
    return Address(own[0], port.port, is_https(port))


def _partition(claim: Claim, pod: EnginePod) -> str | None:
    """ "node/bdf/function" of the claim's first partition; None while it has none.

    Until the kubelet's choice was read back nobody knows the partition of a pod of the device plugin. It has one that
    nobody else has, so a name of its own says all that counts.
    """
    status = claim.status
    theirs = claim.metadata.namespace == pod.metadata.namespace and pod.metadata.uid in claim.pod_uids
    if not theirs or status.phase not in HOLDING or status.allocation is None:
        return None
    devices = status.allocation.devices or (status.observed.devices if status.observed is not None else ())
    if not devices:
        return f"{status.allocation.node}/pod/{pod.metadata.uid}"
    return f"{status.allocation.node}/{devices[0].bdf}/{devices[0].partition}"


def seats_of(pod: EnginePod, claim: Claim) -> int:
    """Requests that the engine serves at once: those its KV cache was counted for."""
    if claim.spec.model is not None and claim.spec.model.max_concurrency:
        return claim.spec.model.max_concurrency
    said = pod.metadata.annotations.get(MAX_CONCURRENCY, "")
    if said.isascii() and said.isdigit() and len(said) < 6:
        return min(int(said), MOST_SEATS) or DEFAULT_SEATS
    return DEFAULT_SEATS


def takes_priority(pod: EnginePod) -> bool:
    """Whether the engine was started to schedule by priority; vLLM refuses a request's priority otherwise.

    By the container's own arguments, or by ours where the image is one that reads them.
    """
    if any(_says_priority((*found.command, *found.args)) for found in pod.spec.containers):
        return True
    reads_ours = any(_AIM_IMAGE.search(found.image) for found in pod.spec.containers)
    return reads_ours and _arguments(pod.metadata.annotations).get("scheduling-policy") == "priority"


def _says_priority(words: tuple[str, ...]) -> bool:
    said = " ".join(words).replace("=", " ").split()
    return any(pair == ("--scheduling-policy", "priority") for pair in pairwise(said))


def _arguments(annotations: Mapping[str, str]) -> Mapping[str, object]:
    """The engine's arguments that the operator wrote; none where somebody else has been at them."""
    try:
        found = json.loads(annotations.get(ENGINE_ARGS) or "{}")
    except ValueError:
        return EMPTY
    return found if isinstance(found, dict) else EMPTY

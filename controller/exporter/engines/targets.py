"""Which engines are read, at which address, and as whose: by what the API server and kubelets say of pods.

Whoever may edit a namespace writes its pods, Services and EndpointSlices. So an address is a pod's own, as the kubelet
gave it, and never that of a slice, of a node or of another namespace: nobody makes the exporter ask anybody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.group import MODEL_ID, SERVICE_LABEL
from controller.exporter.engines.objects import EnginePod
from controller.exporter.engines.totals import ServiceKey
from controller.runtime.objects.endpoint_slice import SERVICE_NAME_LABEL, EndpointSlice, is_https, serving_port
from controller.runtime.pod_addresses import Address
from controller.state.kserve import POD_LABEL as KSERVE_LABEL

LONGEST_MODEL: Final = 256
"""Characters, as in the API; an annotation on a pod that runs may hold 256 KiB."""


@dataclass(frozen=True, slots=True)
class Target:
    """An engine to read, by its pod's uid. `ours`: of an InferenceService of ours."""

    uid: str
    service: ServiceKey
    ours: bool
    address: Address


def service_of(pod: EnginePod, slices: Iterable[EndpointSlice]) -> ServiceKey:
    """The service of a pod, as the gateway would name it.

    Pods of an InferenceService, ours or KServe's, bear its name. Others are of the Kubernetes Service that lists them,
    of several the first by name.
    """
    labels = pod.metadata.labels
    listing = (found.metadata.labels.get(SERVICE_NAME_LABEL, "") for found in slices)
    name = labels.get(SERVICE_LABEL) or labels.get(KSERVE_LABEL) or min(filter(None, listing), default="")
    model = pod.metadata.annotations.get(MODEL_ID, "")
    return ServiceKey(pod.metadata.namespace, name, model if len(model) <= LONGEST_MODEL else "")


def target_of(pod: EnginePod, service: ServiceKey, slices: Iterable[EndpointSlice]) -> Target | None:
    """The engine of a pod that is to be read now; None for one that serves nobody, or has no address of its own.

    `service` is whose it is, `slices` are those of its namespace that list it. Its port is the one that requests go to,
    by the Service that lists it, or by its containers where none does.
    """
    if not pod.takes_part or not pod.ready or pod.spec.host_network or not pod.status.pod_ip:
        return None
    listing = sorted(slices, key=lambda found: (found.metadata.labels.get(SERVICE_NAME_LABEL, ""), found.metadata.name))
    ports = (serving_port(found.ports) for found in listing)
    port = next((port for port in ports if port is not None), None) or serving_port(pod.ports)
    if port is None or port.port is None:
        return None
    address = Address(pod.status.pod_ip, port.port, is_https(port))
    return Target(pod.metadata.uid, service, pod.ours, address)

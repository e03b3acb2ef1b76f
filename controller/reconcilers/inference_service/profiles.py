"""The AIM profiles of a service: one ConfigMap, mounted where AIM looks, before there is a pod that could want one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.gpu.product import PRODUCTS
from controller.profiles.selection import Service, ServiceProfiles, TooLarge
from controller.reconcilers.inference_service.backend import Json, metadata_for
from controller.reconcilers.inference_service.status import Refusal
from controller.runtime.client.client import Client
from controller.runtime.client.core import CONFIG_MAPS
from controller.runtime.client.errors import BadRequest, Forbidden, Invalid, NotFound
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.served import profiles_name, served

MANAGER: Final = "aim-gpu-operator"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the profiles follow from: delivered again only when it differs. `facts` counts changes of ModelProfiles."""

    uid: str
    service: Service
    profile: str | None
    products: frozenset[str]
    facts: int


class ProfileDelivery:
    """Keeps the ConfigMaps. It remembers of each what it was made of, and the version that was stored."""

    def __init__(self, client: Client, cluster: Cluster, sizing: Models) -> None:
        self._client = client
        self._cluster = cluster
        self._sizing = sizing
        self._delivered: dict[str, tuple[Inputs, str]] = {}

    def forget(self, key: str) -> None:
        """The service is gone, and its ConfigMap goes with it."""
        self._delivered.pop(key, None)

    async def deliver(self, key: str, service: InferenceService, claims: Sequence[GPUPartitionClaim]) -> Refusal | None:
        """Write the ConfigMap where it differs from what it should be; why it cannot be written.

        A model that cannot be sized, or fits nowhere, has no profiles, and leaves those that there are.
        """
        inputs = self._inputs(service)
        name, namespace = profiles_name(service.metadata.name), service.metadata.namespace or ""
        stored = self._cluster.profile_maps.store.get(f"{namespace}/{name}")
        if stored is not None and self._delivered.get(key) == (inputs, stored.metadata.resource_version):
            return None
        try:
            profiles = ServiceProfiles(self._sizing.sizes(service.spec.model.id, inputs.profile), inputs.service)
            data = profiles.config_map_data(inputs.products or None)
        except SizingError:
            return None
        except TooLarge as error:
            return Refusal("ProfilesTooLarge", str(error))
        if not data:
            return None
        try:
            present = await self._client.get(CONFIG_MAPS, name, namespace)
        except NotFound:
            present = {}
        if present and service.metadata.uid not in _owners(present):
            message = f"ConfigMap {namespace}/{name} belongs to somebody else; delete it or rename the service"
            return Refusal("NameTaken", message)
        wanted = config_map_for(service, data | in_use(present.get("data") or {}, claims))
        try:
            written = await self._client.apply(CONFIG_MAPS, wanted, field_manager=MANAGER)
        except (BadRequest, Invalid, Forbidden) as error:
            return Refusal("BackendRefused", f"ConfigMap: {error.message}")
        except NotFound:
            return Refusal("BackendRefused", "the namespace is gone")
        self._delivered[key] = inputs, written["metadata"]["resourceVersion"]
        return None

    def _inputs(self, service: InferenceService) -> Inputs:
        model = service.spec.model
        request = SizingRequest(model.id, Precision(model.precision.value), model.max_model_len, model.max_concurrency)
        return Inputs(
            uid=service.metadata.uid,
            service=served(request, service),
            profile=model.profile_ref,
            products=self._cluster.products.known & PRODUCTS.keys(),
            facts=self._sizing.changes,
        )


def config_map_for(service: InferenceService, data: Mapping[str, str]) -> Json:
    """The ConfigMap, owned by the service."""
    metadata = metadata_for(service) | {"name": profiles_name(service.metadata.name)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def in_use(present: Mapping[str, str], claims: Sequence[GPUPartitionClaim]) -> dict[str, str]:
    """Files of before that pods were told to start with: a container that starts again must find its own."""
    told = {
        f"{claim.status.allocation.profile.rpartition('/')[2]}.yaml"
        for claim in claims
        if claim.status.allocation is not None and claim.status.allocation.profile is not None
    }
    return {name: text for name, text in present.items() if name in told}


def _owners(obj: Mapping[str, Json]) -> list[str]:
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or ()]

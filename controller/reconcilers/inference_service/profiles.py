"""The AIM profiles of a service: one ConfigMap, mounted where AIM looks, before there is a pod that could want one."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.group import PROFILES_LABEL
from api.v1beta1 import GPUPartitionClaim, InferenceService
from controller.profiles.selection import TooLarge
from controller.reconcilers.inference_service.backend import Json, metadata_for
from controller.reconcilers.inference_service.status import Refusal
from controller.reconcilers.profile_map.files import Inputs, files_for, inputs_of
from controller.reconcilers.profile_map.writing import ProfileMapWriter, Wanted
from controller.runtime.client.client import Client
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.state.cluster import Cluster
from controller.state.models import Models
from controller.translate.served import profiles_name, served

#: The label's value on a ConfigMap of a service.
FOR_SERVICE: Final = "service"


class ProfileDelivery:
    """Keeps the ConfigMaps. It remembers of each what it was made of, and for which service of that name."""

    def __init__(self, client: Client, cluster: Cluster, sizing: Models) -> None:
        self._cluster = cluster
        self._sizing = sizing
        self._writer = ProfileMapWriter(client, cluster.written_maps)
        self._made_of: dict[str, tuple[str, Inputs]] = {}

    def forget(self, key: str) -> None:
        """The service is gone, and its ConfigMap goes with it."""
        namespace, _, name = key.partition("/")
        self._made_of.pop(key, None)
        self._cluster.written_maps.forget(f"{namespace}/{profiles_name(name)}")

    async def deliver(self, key: str, service: InferenceService, claims: Sequence[GPUPartitionClaim]) -> Refusal | None:
        """Write the ConfigMap where it differs from what it should be; why it cannot be written.

        There always is one, which pods need to start; a model that cannot be sized leaves it as it is.
        """
        made_of = service.metadata.uid, self._inputs(service)
        name, namespace = profiles_name(service.metadata.name), service.metadata.namespace or ""
        map_key = f"{namespace}/{name}"
        if self._cluster.written_maps.standing(map_key) is not None and self._made_of.get(key) == made_of:
            return None
        try:
            files = files_for(self._sizing, made_of[1])
        except TooLarge as error:
            refused = self._writer.refuse(map_key, "ProfilesTooLarge", str(error))
            return Refusal(refused.reason, refused.message)
        refusal = await self._writer.write(
            Wanted(
                name=name,
                namespace=namespace,
                files=files,
                claims=claims,
                metadata=lambda _: map_metadata(service),
                ours=lambda present: service.metadata.uid in _owners(present),
                remedy="rename the service",
            )
        )
        if refusal is not None:
            return Refusal(refusal.reason, refusal.message)
        self._made_of[key] = made_of
        return None

    def _inputs(self, service: InferenceService) -> Inputs:
        model = service.spec.model
        request = SizingRequest(model.id, Precision(model.precision.value), model.max_model_len, model.max_concurrency)
        return inputs_of(self._cluster, self._sizing, served(request, service), model.profile_ref)


def map_metadata(service: InferenceService) -> Json:
    """Labels and owner of the service's ConfigMap."""
    metadata = metadata_for(service)
    return metadata | {"labels": metadata["labels"] | {PROFILES_LABEL: FOR_SERVICE}}


def _owners(obj: Mapping[str, Any]) -> list[str]:
    return [reference["uid"] for reference in obj["metadata"].get("ownerReferences") or ()]

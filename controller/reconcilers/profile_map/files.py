"""What belongs into a ConfigMap of AIM profiles."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api.v1beta1 import GPUPartitionClaim
from controller.gpu.product import PRODUCTS
from controller.profiles.selection import Service, ServiceProfiles
from controller.sizing.errors import SizingError
from controller.state.cluster import Cluster
from controller.state.models import Models


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the files follow from. `profile` names a ModelProfile; `facts` counts changes of all of them.

    `service` None: what is served is not known.
    """

    service: Service | None
    profile: str | None
    products: frozenset[str]
    facts: int


def inputs_of(cluster: Cluster, sizing: Models, service: Service | None, profile: str | None) -> Inputs:
    """The inputs of this moment: profiles are for the products that are here."""
    return Inputs(service, profile, cluster.products.known & PRODUCTS.keys(), sizing.changes)


def files_for(sizing: Models, inputs: Inputs) -> dict[str, str] | None:
    """The files by name, of all products before one is known; none when nothing here holds the model.

    None for what cannot be sized: what there was stays. Raises TooLarge.
    """
    if inputs.service is None:
        return None
    try:
        sizes = sizing.sizes(inputs.service.request.model_id, inputs.profile)
        return ServiceProfiles(sizes, inputs.service).config_map_data(inputs.products or None)
    except SizingError:
        return None


def in_use(present: Mapping[str, str], claims: Iterable[GPUPartitionClaim]) -> dict[str, str]:
    """Files of before that pods were told to start with: a container that starts again must find its own."""
    told = {
        file_of(claim.status.allocation.profile)
        for claim in claims
        if claim.status.allocation is not None and claim.status.allocation.profile is not None
    }
    return {name: text for name, text in present.items() if name in told}


def file_of(profile_id: str) -> str:
    """The name of the file with that profile."""
    return f"{profile_id.rpartition('/')[2]}.yaml"

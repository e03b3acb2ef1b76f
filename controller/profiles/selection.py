"""Which profile a placement takes, and the profiles of one service as the data of one ConfigMap.

A ConfigMap is mounted when the pod is made, its partition is chosen later: so it has the profiles of every mode that
holds the model, and AIM_PROFILE_ID names the right one at bind. AIM_ENGINE_ARGS, which wins over the profile, has the
same settings for the partition as the hardware reports it; it is complete by itself, for engines without profiles.

A profile's ``model_id`` decides what AIM loads, whatever AIM_MODEL_ID says. A service's profiles are therefore general,
so that its container decides, but for one case: a precision for which ``checkpoints`` knows another checkpoint than the
one that the container is named for. Where the engine can make fp8 of the published weights, both tell it to, unless the
container has AIM_MODEL_ID.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS, product_named
from controller.profiles.aim_profile import CUSTOM_DIRECTORY, AIMProfile, Metric, Model, Target
from controller.profiles.checkpoints import as_loaded, known_copy
from controller.profiles.engine_arguments import Room, engine_arguments, sizing_in
from controller.profiles.feasible import Feasible, feasible
from controller.profiles.generator import AIMProfileGenerator, Served
from controller.sizing.engine_support import ENGINE_PRODUCTS, runs
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest

CONFIG_MAP_BYTES: Final = 1 << 20
"""The most that keys and values of a ConfigMap may have together (Kubernetes, ``MaxSecretSize``)."""


class TooLarge(ValueError):
    """Profiles that do not go into one ConfigMap. The text says how large they are, and the remedy."""


class DoesNotFit(SizingError):
    """A place that is too small for the service, as it is sized now."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service serves.

    ``names_model``: its container has AIM_MODEL_ID and so decides itself which checkpoint is loaded. ``cooperative``:
    it shares its partition. ``count``: the partitions it asks for, None for as few as will do.
    """

    request: SizingRequest
    names_model: bool = False
    cooperative: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod of it is bound: ``count`` partitions of a product, by name, in a mode.

    ``partition_bytes`` is what the hardware reports of the smallest one.
    """

    product: str
    mode: Mode
    partition_bytes: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Selected:
    """What the pod is told. ``profile_id`` None: no profile is for that place, and ``engine_args`` stand alone."""

    profile_id: str | None
    engine_args: str
    sizing: Sizing


class ServiceProfiles:
    """The profiles of one service."""

    def __init__(self, sizes: ModelSizingConfig, service: Service) -> None:
        self._sizes = sizes
        self._service = service

    @property
    def mount_path(self) -> str:
        """Where the ConfigMap is mounted: general profiles are those in a folder of that name."""
        return CUSTOM_DIRECTORY if self._model() else f"{CUSTOM_DIRECTORY}/general"

    def config_map_data(self, products: Iterable[str] | None = None) -> dict[str, str]:
        """The ConfigMap's data: every profile's file by its name, for the named products or all that there are.

        Same service, same data. Empty when nothing holds the model. Raises what ``ModelSizingConfig.size`` raises,
        UnknownProduct, and TooLarge.
        """
        chosen = ENGINE_PRODUCTS if products is None else tuple(map(product_named, sorted(set(products))))
        generator = AIMProfileGenerator(self._sizes, chosen)
        data = {profile.file_name: profile.to_yaml() for profile in generator.generate(self._served())}
        _require_room(data)
        return data

    def select(self, place: Place, metric: Metric = Metric.LATENCY) -> Selected:
        """The profile and the engine's arguments for a place.

        Raises what ``ModelSizingConfig.size`` raises, and DoesNotFit when the place is too small.
        """
        room = Room(place.partition_bytes, self._service.cooperative)
        request = replace(self._request, tensor_parallel=place.count)
        sizing = sizing_in(room, self._sizes, request, metric)
        if sizing.total_bytes > room.bytes:
            raise DoesNotFit(
                "partition",
                f"{place.count} x {room.bytes} bytes of {place.product} in {place.mode}",
                f"is less than the {sizing.total_bytes} bytes that {sizing.model_id} needs of each",
                "lower precision, maxModelLen or maxConcurrency, or take larger partitions",
            )
        arguments = json.dumps(dict(engine_arguments(sizing, room)), separators=(",", ":"))
        return Selected(self._profile_id(place, metric, sizing.precision), arguments, sizing)

    def _profile_id(self, place: Place, metric: Metric, precision: Precision) -> str | None:
        product = PRODUCTS.get(place.product)
        if product is None or place.mode not in product.allowed or not runs(product, precision):
            return None
        service = self._service
        held = feasible(self._sizes, self._request, (product,), service.count)
        if Feasible(product, place.mode, place.count) not in held:
            return None
        target = Target(product.name, place.mode, place.count, precision, metric)
        return AIMProfile(target, self._model(), engine_args=()).profile_id

    def _served(self) -> Served:
        service = self._service
        return Served(self._request, self._model(), service.cooperative, service.count)

    @property
    def _request(self) -> SizingRequest:
        """What is served, quantized at load where its weights are. A container's own checkpoint may have fp8 already,
        in a form that vLLM does not take beside ``quantization: fp8``."""
        request = self._service.request
        return request if self._service.names_model else as_loaded(self._sizes, request)

    def _model(self) -> Model | None:
        request = self._service.request
        copy = None if self._service.names_model else known_copy(request.model_id, request.precision)
        return Model(request.model_id, copy.copy) if copy is not None else None


def metric_of(qos_class: str | None) -> Metric:
    """What a service of that class is tuned for: throughput for ``batch``, latency for every other."""
    return Metric.THROUGHPUT if qos_class == "batch" else Metric.LATENCY


def _require_room(data: Mapping[str, str]) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
    if size > CONFIG_MAP_BYTES:
        raise TooLarge(
            f"{len(data)} profiles have {size} bytes, more than the {CONFIG_MAP_BYTES} of a ConfigMap: "
            "name fewer products"
        )

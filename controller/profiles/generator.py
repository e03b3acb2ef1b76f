"""AIMProfileGenerator: the profiles of one model in one precision, for every mode that holds it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from controller.gpu.product import Product
from controller.profiles.aim_profile import AIMProfile, Metric, Model, Target
from controller.profiles.checkpoints import Weights, as_loaded_of, checkpoint_of
from controller.profiles.engine_arguments import Room, engine_arguments, sizing_in
from controller.profiles.expected_start import expected_start
from controller.profiles.feasible import Feasible, feasible
from controller.sizing.engine_support import ENGINE_PRODUCTS, runs
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import resolve_precision
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.sizing.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Served:
    """What is served, and how its profiles name it.

    ``model`` None makes general profiles, which leave the model to the container. ``cooperative``: the partition is
    shared with others, and each keeps to what was counted for it. ``count`` None: as few partitions as will do.
    ``weights`` say where they come from. Where the engine quantizes them, ``request.engine`` says so.
    """

    request: SizingRequest
    model: Model | None = None
    cooperative: bool = False
    count: int | None = None
    remarks: tuple[str, ...] = ()
    weights: Weights = Weights.AS_PUBLISHED


def served_by_id(facts: ModelFacts, request: SizingRequest) -> Served:
    """A model under its own id: profiles that load its checkpoint, or a copy in that precision.

    Where no copy is known the profiles name none, and say what to add. Raises UnsupportedPrecision.
    """
    precision = resolve_precision(facts, request.precision)
    checkpoint = checkpoint_of(facts, precision)
    remarks = _NEEDS_COPY if checkpoint.weights is Weights.NEEDS_COPY else ()
    return Served(
        as_loaded_of(facts, request),
        Model(request.model_id, checkpoint.model_id),
        remarks=tuple(remark.format(model=request.model_id, precision=precision) for remark in remarks),
        weights=checkpoint.weights,
    )


_NEEDS_COPY: Final = (
    "Not ready: it needs a copy in {precision}, and none is known. Until these lines are added AIM skips the file:",
    "  aim_id: {model}",
    "  model_id: <the copy, owner/name>",
)


class AIMProfileGenerator:
    """Makes the profiles of one catalogue's models for ``products``, those that the engine runs on."""

    def __init__(self, sizes: ModelSizingConfig, products: Sequence[Product] = ENGINE_PRODUCTS) -> None:
        self._sizes = sizes
        self.products = tuple(products)

    def generate(self, served: Served) -> tuple[AIMProfile, ...]:
        """A profile a metric for each mode that holds the model, by product and mode; none when nothing does.

        Raises what ``ModelSizingConfig.size`` raises.
        """
        return tuple(self._profiles(served))

    def _profiles(self, served: Served) -> Iterator[AIMProfile]:
        precision = self._sizes.size(served.request).precision
        products = [product for product in self.products if runs(product, precision)]
        # memory modes share a size, and so do products: each size is counted once, each start judged once a product
        sizings: dict[tuple[int, int, Metric], Sizing] = {}
        doubts: dict[tuple[tuple[int, int, Metric], str, int], tuple[str, ...]] = {}
        for place in feasible(self._sizes, served.request, products, served.count):
            room = Room(place.partition_bytes, served.cooperative)
            for metric in Metric:
                key = (room.bytes, place.count, metric)
                if key not in sizings:
                    request = replace(served.request, tensor_parallel=place.count)
                    sizings[key] = sizing_in(room, self._sizes, request, metric)
                start = (key, place.product.name, place.product.partition_compute_units(place.mode))
                if start not in doubts:
                    doubts[start] = self._doubts(served, place, sizings[key])
                profile = profile_of(served, place, metric, sizings[key])
                yield replace(profile, remarks=(*profile.remarks, *doubts[start]))

    def _doubts(self, served: Served, place: Feasible, sizing: Sizing) -> tuple[str, ...]:
        """What makes a start doubtful. None of a sharer, whose cache is pinned, or of figures that an author gave."""
        if served.cooperative or self._sizes.weights_exist:
            return ()
        verdict = expected_start(self._sizes.facts(served.request.model_id), sizing, place.product, place.mode)
        if verdict.outcome is Outcome.SAFE:
            return ()
        return (f"Such a start {_DOUBTS[verdict.outcome]}: {verdict.text} ({verdict.reason}).",)


_DOUBTS: Final = {Outcome.AT_RISK: "is at risk", Outcome.FAILS: "is expected to fail"}


def profile_of(served: Served, place: Feasible, metric: Metric, sizing: Sizing) -> AIMProfile:
    """The profile for partitions of a place, with the settings that ``sizing`` was counted with."""
    room = Room(place.partition_bytes, served.cooperative)
    return AIMProfile(
        target=Target(place.product.name, place.mode, place.count, sizing.precision, metric),
        model=served.model,
        engine_args=engine_arguments(sizing, room),
        remarks=(*_counted(sizing, room), *served.remarks),
    )


def _counted(sizing: Sizing, room: Room) -> tuple[str, ...]:
    count = sizing.tensor_parallel
    partitions = (
        f"a partition of {_mib(room.bytes)}" if count == 1 else f"{count} partitions of {_mib(room.bytes)}, each"
    )
    return (
        f"{sizing.model_id} in {sizing.precision} on {partitions}. Calculated, not measured:",
        f"  weights {_mib(sizing.weights_bytes)}, KV cache {_mib(sizing.kv_cache_bytes)} for "
        f"{sizing.max_concurrency} x {sizing.max_model_len} tokens,",
        f"  activations {_mib(sizing.activation_bytes)}, graphs {_mib(sizing.graph_bytes)}, "
        f"other {_mib(sizing.non_torch_bytes)}, margin {_mib(sizing.margin_bytes)}",
        *_quantized(sizing),
    )


def _quantized(sizing: Sizing) -> tuple[str, ...]:
    if not sizing.engine.quantization:
        return ()
    more = f", which takes {_mib(sizing.loading_bytes)} more" if sizing.loading_bytes else ""
    return (f"  The engine quantizes 16-bit weights as it loads them{more}. Before vLLM 0.16 it holds all of them.",)


def _mib(size: int) -> str:
    return f"{size >> 20} MiB"

"""What to expect of starts of a ModelProfile's model, for its status. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from controller.gpu.product import product_named
from controller.profiles.aim_profile import Metric
from controller.profiles.engine_arguments import Room, sizing_in
from controller.profiles.expected_start import expected_start
from controller.sizing.engine_support import ENGINE_PRODUCTS
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.sizing.verdict import Outcome


def starts_told(sizes: ModelSizingConfig, found: Sequence[Sizing]) -> str:
    """Each precision with the smallest partition that holds it and the verdict there. Raises SizingError."""
    told = "; ".join(_told(sizes, sizing) for sizing in found)
    return f"starts on the smallest partitions: {told}"


def _told(sizes: ModelSizingConfig, sizing: Sizing) -> str:
    request = SizingRequest(sizing.model_id, sizing.precision)
    fit = next(iter(sizes.calculate_optimal_partitions(request, ENGINE_PRODUCTS)), None)
    if fit is None:
        return f"{sizing.precision} fits nowhere"
    product = product_named(fit.product)
    asked = replace(request, tensor_parallel=fit.count)
    started = sizing_in(Room(product.partition_bytes(fit.mode)), sizes, asked, Metric.LATENCY)
    verdict = expected_start(sizes.facts(sizing.model_id), started, product, fit.mode)
    place = f"{fit.count} x {fit.product} {fit.mode}"
    doubt = "" if verdict.outcome is Outcome.SAFE else f" ({verdict.reason}: {verdict.text})"
    return f"{sizing.precision} on {place} {verdict.outcome}{doubt}"

"""What ``aim-gpu size`` says of starts: the verdict on each partition it offers, with the arguments of our profiles."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS
from controller.profiles.aim_profile import Metric
from controller.profiles.engine_arguments import Room, sizing_in
from controller.profiles.expected_start import expected_start
from controller.sizing.catalog import Catalog
from controller.sizing.facts import ModelFacts
from controller.sizing.requirement import ModelSizingConfig, Sizing, SizingRequest
from controller.sizing.verdict import Outcome, Verdict

Place = tuple[str, Mode, int]
"""A product by name, a mode, and how many partitions."""


def expected_starts(facts: ModelFacts, request: SizingRequest, places: Sequence[Place]) -> tuple[Verdict, ...]:
    """The verdict for each place, which holds the request; a need is counted once for partitions of one size.

    Raises what ``estimate_model_size`` raises.
    """
    sizes = ModelSizingConfig(Catalog((facts,)))
    sizings: dict[tuple[int, int], Sizing] = {}
    found = []
    for name, mode, count in places:
        product = PRODUCTS[name]
        size = product.partition_bytes(mode)
        if (size, count) not in sizings:
            asked = replace(request, model_id=facts.model_id, tensor_parallel=count)
            sizings[size, count] = sizing_in(Room(size), sizes, asked, Metric.LATENCY)
        found.append(expected_start(facts, sizings[size, count], product, mode))
    return tuple(found)


def doubts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line for each reason why a start is not called safe."""
    doubtful = {verdict.reason: verdict for verdict in verdicts if verdict.outcome is not Outcome.SAFE}
    for reason, verdict in doubtful.items():
        yield f"START {verdict.outcome}: {verdict.text} ({reason})"

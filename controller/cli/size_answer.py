"""What ``aim-gpu size`` answers with: tables for people, a document for programs, notes beside both."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from controller.cli.box_table import Row
from controller.gpu.mode import Mode
from controller.gpu.product import PRODUCTS, Product
from controller.profiles.aim_profile import MOST_DEVICES
from controller.sizing.assumption import assumptions
from controller.sizing.capacity import PartitionCheck
from controller.sizing.estimate import Sizing
from controller.sizing.facts import ModelFacts
from controller.sizing.fit import Fit
from controller.sizing.parameters import UNKNOWN_ARCHITECTURE
from controller.sizing.verdict import Verdict

Checked = tuple[Product, Mode, PartitionCheck, Verdict | None]
"""A partition that was asked about, and what to expect of a start there, None where it does not fit."""

_LOADING = ("loading", "loading_bytes")
_PARTS = (
    ("weights", "weights_bytes"),
    ("KV cache", "kv_cache_bytes"),
    ("activations", "activation_bytes"),
    ("driver and runtime", "non_torch_bytes"),
    ("captured graphs", "graph_bytes"),
    _LOADING,
    ("margin", "margin_bytes"),
    ("total", "total_bytes"),
)


def title(sizing: Sizing) -> str:
    """What was asked, in a line."""
    ranks = f", each of {sizing.tensor_parallel} ranks" if sizing.tensor_parallel > 1 else ""
    return f"{sizing.model_id} {sizing.precision}, {sizing.max_concurrency} x {sizing.max_model_len} tokens{ranks}"


def parts_table(sizing: Sizing) -> tuple[Row, list[Row]]:
    """The parts of the need, their sum, and between which bytes a start like this was seen to lie."""
    shown = [part for part in _PARTS if part != _LOADING or sizing.loading_bytes]
    rows: list[Row] = [(name, _mebibytes(getattr(sizing, field))) for name, field in shown]
    seen = f"{_mebibytes(sizing.uncertainty.low_bytes)} to {_mebibytes(sizing.uncertainty.high_bytes)}"
    return ("PART", "SIZE"), [*rows, ("seen to need", seen)]


def fits_table(found: Sequence[Fit], starts: Sequence[Verdict], *, wide: bool = False) -> tuple[Row, list[Row]]:
    """The partitions that hold it, the smallest first, and what to expect of a start there.

    `wide`: also how large one such partition is, and why the start is expected to go so.
    """
    rows: list[Row] = [
        (
            fit.product,
            str(fit.mode),
            str(fit.count),
            str(fit.gpus),
            _validated(fit),
            _mebibytes(fit.headroom_bytes),
            start.outcome.value,
        )
        for fit, start in zip(found, starts, strict=True)
    ]
    header = ("GPU", "MODE", "PARTITIONS", "GPUS", "VALIDATED", "HEADROOM", "START")
    if not wide:
        return header, rows
    more = [(_partition_size(fit), start.reason) for fit, start in zip(found, starts, strict=True)]
    return (*header, "PARTITION", "WHY"), [(*row, *cells) for row, cells in zip(rows, more, strict=True)]


def partitions_table(checked: Sequence[Checked]) -> tuple[Row, list[Row]]:
    """What one partition holds at most, with the rest of the request as it is."""
    rows: list[Row] = [
        (
            product.name,
            str(mode),
            _mebibytes(check.partition_bytes),
            _mebibytes(check.headroom_bytes),
            f"{check.largest_concurrency} x {check.sizing.max_model_len} tokens",
            f"{check.sizing.max_concurrency} x {check.largest_model_len} tokens",
            "does not fit" if start is None else start.outcome.value,
        )
        for product, mode, check, start in checked
    ]
    return ("GPU", "MODE", "SIZE", "HEADROOM", "MOST REQUESTS", "LONGEST REQUESTS", "START"), rows


def document(
    facts: ModelFacts, sizing: Sizing, found: Sequence[tuple[Fit, Verdict]], checked: Sequence[Checked]
) -> dict[str, Any]:
    """The answer as JSON has it: all sizes in bytes, of one rank."""
    return {
        "model": sizing.model_id,
        "same_as": facts.same_as or None,
        "estimated": _is_estimate(facts),
        "precision": sizing.precision.value,
        "max_model_len": sizing.max_model_len,
        "max_concurrency": sizing.max_concurrency,
        "tensor_parallel": sizing.tensor_parallel,
        "parameters": facts.total_params,
        "active_parameters": facts.active_params,
        **{field: getattr(sizing, field) for _, field in _PARTS if field != "total_bytes"},
        "overhead_bytes": sizing.overhead_bytes,
        "total_bytes": sizing.total_bytes,
        "uncertainty": asdict(sizing.uncertainty),
        "kv_bytes_per_token": sizing.kv_bytes_per_token,
        "fits": [_fit(fit, start) for fit, start in found],
        "partitions": [_partition(each) for each in checked],
        "sources": [{"says": source.says, "where": source.where, "how": source.how} for source in facts.sources],
    }


def notes(facts: ModelFacts, sizing: Sizing, found: Sequence[Fit], products: Sequence[Product] | None) -> Iterator[str]:
    """What to know beside the answer. ``products`` are those that were searched, None where none were."""
    if _is_estimate(facts):
        yield (
            "an estimate: the architecture is not known here; the weights are those of its files, "
            "the KV cache is on the safe side"
        )
    yield from assumptions(facts.sources)
    if sizing.engine.quantization:
        yield (
            "no copy in fp8 is known: the engine quantizes 16-bit weights as it loads them (vLLM's --quantization fp8, "
            "which our profiles say; before 0.16 it holds all of them in 16 bit meanwhile)"
        )
    if facts.same_as:
        yield f"with the shape of {facts.same_as}"
    if found and sizing.tensor_parallel == 1 and found[0].count > 1:
        yield (
            "no single partition holds it: the parts are of an engine with one rank; "
            f"--tensor-parallel {found[0].count} shows those of each rank"
        )
    if any(fit.count > MOST_DEVICES for fit in found):
        yield (
            f"AIM's profiles are of {MOST_DEVICES} partitions at most: on more than that an engine starts by arguments "
            "of your own"
        )
    if products is not None and not found:
        yield _fits_nowhere(sizing, products)


def _is_estimate(facts: ModelFacts) -> bool:
    return facts.shape.architecture == UNKNOWN_ARCHITECTURE


def _fits_nowhere(sizing: Sizing, products: Sequence[Product]) -> str:
    largest = max(products, key=lambda product: product.vram_mib or 0)
    names = ", ".join(product.name for product in products)
    return (
        f"no partition of {names}, and no 8 of their GPUs together, hold {_mebibytes(sizing.total_bytes)} (the "
        f"largest, a whole {largest.name}, has {largest.vram_mib} MiB): lower --precision, --max-model-len or "
        "--max-concurrency"
    )


def _fit(fit: Fit, start: Verdict) -> dict[str, Any]:
    return {
        "product": fit.product,
        "mode": str(fit.mode),
        "count": fit.count,
        "gpus": fit.gpus,
        "headroom_bytes": fit.headroom_bytes,
        "verdict": _verdict(start),
    }


def _verdict(start: Verdict) -> dict[str, str]:
    return {"outcome": start.outcome.value, "reason": start.reason, "text": start.text}


def _partition(checked: Checked) -> dict[str, Any]:
    product, mode, check, start = checked
    return {
        "product": product.name,
        "mode": str(mode),
        "bytes": check.partition_bytes,
        "fits": check.fits,
        "headroom_bytes": check.headroom_bytes,
        "largest_concurrency": check.largest_concurrency,
        "largest_model_len": check.largest_model_len,
        "verdict": None if start is None else _verdict(start),
    }


def _partition_size(fit: Fit) -> str:
    return _mebibytes(PRODUCTS[fit.product].partition_bytes(fit.mode))


def _validated(fit: Fit) -> str:
    return "yes" if fit.mode in PRODUCTS[fit.product].validated else ""


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"

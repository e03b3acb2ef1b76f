"""``aim-gpu size``: how much GPU memory a model needs, and which partitions hold it.

It takes its arguments with argparse and draws its own tables: the packages that the other commands use for that take
three times as long to import as all of sizing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from controller.cli.at_once_parser import AtOnceParser
from controller.cli.box_table import print_box_table
from controller.cli.exit_codes import ExitCode
from controller.cli.expected_starts import doubts, expected_starts
from controller.cli.size_answer import Checked, document, fits_table, notes, partitions_table, parts_table, title
from controller.gpu.mode import ModeError, mode
from controller.gpu.product import PRODUCTS, Product, UnknownProduct, product_named
from controller.profiles.checkpoints import as_loaded_of
from controller.sizing.capacity import check_partition
from controller.sizing.catalog import Catalog
from controller.sizing.engine import AS_WE_START_IT
from controller.sizing.engine_support import obstacles, runs
from controller.sizing.errors import SizingError, UnknownFacts, UnknownModel
from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.facts import ModelFacts
from controller.sizing.fit import optimal_partitions
from controller.sizing.precision import Precision


def run(arguments: Sequence[str]) -> int:
    """Answer the command with these arguments; its exit code. argparse exits by itself for what it cannot parse."""
    taken = parser()
    options = taken.parse_args(arguments)
    if options.model is options.config is options.directory is None:
        taken.error("give a model's id, --config FILE or --directory DIR")
    try:
        facts = _facts(options)
        request = as_loaded_of(facts, _request(options))
        products = _products(options)
        sizing = estimate_model_size(facts, request)
        usable = tuple(product for product in products if runs(product, sizing.precision))
        checked = _checked(facts, request, usable, options.partition)
        found = () if options.partition else optimal_partitions(facts, request, products)
        starts = expected_starts(facts, request, [(fit.product, fit.mode, fit.count) for fit in found])
    except (SizingError, UnknownProduct, ModeError) as error:
        sys.stderr.write(f"error: {error}{_other_ways(error)}\n")
        return ExitCode.BAD_INPUT
    if not usable:
        sys.stderr.write(f"{obstacles(products, sizing.precision)}\n")
    for line in doubts((*starts, *(start for *_, start in checked if start is not None))):
        sys.stderr.write(f"{line}\n")
    for line in notes(facts, sizing, found, None if options.partition or not usable else usable):
        sys.stderr.write(f"{line}\n")
    if options.output in ("json", "yaml"):
        _tell(document(facts, sizing, tuple(zip(found, starts, strict=True)), checked), options.output)
        return 0
    sys.stdout.write(f"{title(sizing)}\n")
    print_box_table(*parts_table(sizing))
    print_box_table(
        *(partitions_table(checked) if options.partition else fits_table(found, starts, wide=options.output == "wide"))
    )
    return 0


def _tell(answer: dict[str, Any], form: str) -> None:
    encoded = msgspec.json.encode(answer)
    if form == "json":
        sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")
        return
    from controller.cli.yaml_text import as_yaml  # its import takes as long as the answer

    sys.stdout.write(as_yaml(msgspec.json.decode(encoded)))


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = AtOnceParser("size", "Show what a model needs, part by part, and the partitions that hold it.")
    found.add_argument("model", nargs="?", help="model id, owner/name, exactly as on the hub")
    source = found.add_mutually_exclusive_group()
    source.add_argument("--config", type=Path, metavar="FILE", help="a model's config.json, for one not catalogued")
    source.add_argument("--directory", type=Path, metavar="DIR", help="a checkpoint: safetensors headers are read")
    source.add_argument("--same-as", metavar="ID", help="the catalogued model whose shape MODEL, a fine-tune, has")
    found.add_argument(
        "--precision",
        choices=[p.value for p in Precision],
        default="auto",
        help="of the weights; auto: as published, fp32 in bf16",
    )
    found.add_argument("--max-model-len", type=int, metavar="TOKENS", help="longest request; default: at most 8192")
    found.add_argument("--max-concurrency", type=int, metavar="N", help="requests held at once; default: 8")
    found.add_argument("--tensor-parallel", type=int, default=1, metavar="N", help="partitions that share the model")
    found.add_argument("--kv-cache-dtype", choices=["auto", "fp8"], default="auto", help="auto: 16 bit")
    found.add_argument("--gpu", metavar="NAME", help="only this product, such as MI300X; default: every one")
    found.add_argument("--partition", metavar="MODE", help="what one such partition holds at most, such as CPX/NPS4")
    found.add_argument(
        "-o",
        "--output",
        choices=["table", "wide", "json", "yaml"],
        default="table",
        help="json and yaml are for programs; wide tells more",
    )
    return found


def _facts(options: argparse.Namespace) -> ModelFacts:
    name: str = options.model
    if options.config is not None or options.directory is not None:
        return _facts_of_files(options)
    catalog = Catalog.bundled()
    if options.same_as is None:
        return catalog.get(name)
    if name in catalog.known_ids():
        raise SizingError("--same-as", options.same_as, f"is not needed: {name} is catalogued", "leave it out")
    return replace(catalog.get(options.same_as), model_id=name, same_as=options.same_as)


def _facts_of_files(options: argparse.Namespace) -> ModelFacts:
    # read by those who give files: for a catalogued model the imports would take as long as the answer
    from controller.cli.model_files import facts_of_config_file, facts_of_directory

    if options.config is not None:
        return facts_of_config_file(options.config, options.model or str(options.config))
    return facts_of_directory(options.directory, options.model or str(options.directory))


def _request(options: argparse.Namespace) -> SizingRequest:
    return SizingRequest(
        model_id=options.model or "",
        precision=Precision(options.precision),
        max_model_len=options.max_model_len,
        max_concurrency=options.max_concurrency,
        tensor_parallel=options.tensor_parallel,
        engine=replace(AS_WE_START_IT, kv_cache_dtype=options.kv_cache_dtype),
    )


def _products(options: argparse.Namespace) -> tuple[Product, ...]:
    """The products asked for; with a mode and no product, those that have it. Raises ModeError where none has."""
    if options.gpu is not None:
        return (product_named(options.gpu),)
    everything = tuple(PRODUCTS.values())
    if options.partition is None:
        return everything
    asked = mode(options.partition)
    having = tuple(product for product in everything if asked in product.allowed)
    if not having:
        raise ModeError(f"mode {asked} exists on no product: name a product (--gpu) to see its modes")
    return having


def _checked(
    facts: ModelFacts, request: SizingRequest, products: Sequence[Product], asked: str | None
) -> tuple[Checked, ...]:
    """What a partition of that mode holds, by product, and what to expect of a start on one that holds it."""
    if asked is None:
        return ()
    partition = mode(asked)
    found: list[Checked] = []
    for product in products:
        check = check_partition(facts, request, product.partition_bytes(partition))
        place = (product.name, partition, request.tensor_parallel)
        start = expected_starts(facts, request, [place])[0] if check.fits else None
        found.append((product, partition, check, start))
    return tuple(found)


def _other_ways(error: Exception) -> str:
    """What helps with a model that is not catalogued."""
    if isinstance(error, UnknownFacts):
        return "\nhere by --config FILE, or give its files (--directory DIR), or its base's id (--same-as ID)"
    if not isinstance(error, UnknownModel):
        return ""
    return "\nor give its config.json (--config FILE), its files (--directory DIR), or its base's id (--same-as ID)"

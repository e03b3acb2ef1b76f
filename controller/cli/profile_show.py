"""``aim-gpu profiles show``: one model's profiles as YAML documents.

It takes its arguments with argparse, as ``size`` does, and starts without the packages of the other commands.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.cli.at_once_parser import AtOnceParser
from controller.cli.exit_codes import ExitCode
from controller.cli.profile_products import NoEngine, engine_products
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct
from controller.profiles.aim_profile import MODEL_ID, MOST_DEVICES, AIMProfile, Metric
from controller.profiles.generator import AIMProfileGenerator, served_by_id
from controller.sizing.catalog import Catalog
from controller.sizing.engine_support import obstacles
from controller.sizing.errors import SizingError
from controller.sizing.fit import Fit, optimal_partitions
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest


def run(arguments: Sequence[str]) -> int:
    """Answer the command with these arguments; its exit code. argparse exits by itself for what it cannot parse."""
    options = parser().parse_args(arguments)
    try:
        mode = Mode.parse(options.mode) if options.mode else None
        products = engine_products(options.gpu)
        catalog = _catalog_with(options.model, options.config)
        found = _found(options, catalog, products)
    except (SizingError, ModeError, UnknownProduct, NoEngine) as error:
        return _told(str(error), ExitCode.BAD_INPUT)
    metric = Metric(options.metric) if options.metric else None
    chosen = [
        profile for profile in found if mode in (None, profile.target.mode) and metric in (None, profile.target.metric)
    ]
    if not chosen:
        wall = obstacles(products, resolve_precision(catalog.get(options.model), Precision(options.precision)))
        return _told(wall or _nothing(options, products, found, _fits(options, catalog, products)), ExitCode.FAILED)
    sys.stdout.write("---\n".join(f"# {profile.path}\n{profile.to_yaml()}" for profile in chosen))
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = AtOnceParser(
        "profiles show",
        "Print a model's profiles as YAML documents.",
        "Exit code 0: printed; 1: the model has none there, and why; 2: bad input.",
    )
    found.add_argument("model", help="model id, owner/name, exactly as on the hub")
    found.add_argument(
        "--gpu", action="append", metavar="NAME", help="only this product; repeatable; default: all of the engine"
    )
    found.add_argument("--config", type=Path, metavar="FILE", help="a model's config.json, for one not catalogued")
    found.add_argument("--mode", help="only this mode, such as CPX/NPS4")
    found.add_argument("--metric", choices=[each.value for each in Metric], help="only this metric")
    found.add_argument("--precision", choices=[each.value for each in Precision], default="auto", help="of the weights")
    found.add_argument("--max-model-len", type=int, metavar="TOKENS", help="longest request; default: at most 8192")
    found.add_argument("--max-concurrency", type=int, metavar="N", help="requests held at once; default: 8")
    return found


def _request(options: argparse.Namespace) -> SizingRequest:
    return SizingRequest(options.model, Precision(options.precision), options.max_model_len, options.max_concurrency)


def _fits(options: argparse.Namespace, catalog: Catalog, products: tuple[Product, ...]) -> tuple[Fit, ...]:
    """What ``aim-gpu size`` says of the same."""
    return optimal_partitions(catalog.get(options.model), _request(options), products)


def _found(options: argparse.Namespace, catalog: Catalog, products: tuple[Product, ...]) -> tuple[AIMProfile, ...]:
    served = served_by_id(catalog.get(options.model), _request(options))
    return AIMProfileGenerator(ModelSizingConfig(catalog), products).generate(served)


def _catalog_with(model: str, config: Path | None) -> Catalog:
    """The catalogue, with the model that a config.json describes under the id it was given."""
    if config is None:
        return Catalog.bundled()
    if not MODEL_ID.fullmatch(model):
        raise SizingError(
            "model id", model, "is not of the form owner/name", "name both, AIM files its profiles by them"
        )
    from controller.cli.model_files import facts_of_config_file  # its imports take as long as the answer

    return Catalog.bundled().with_models([facts_of_config_file(config, model)])


def _told(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code


def _nothing(
    options: argparse.Namespace, products: tuple[Product, ...], found: tuple[AIMProfile, ...], fits: tuple[Fit, ...]
) -> str:
    names, model = ", ".join(product.name for product in products), options.model
    if found:
        modes = ", ".join(dict.fromkeys(str(profile.target.mode) for profile in found))
        return f"{model} has no profile in --mode {options.mode} on {names}: use one of {modes}"
    lower = "lower --precision, --max-model-len or --max-concurrency"
    if not fits:
        return f"{model} fits nowhere on {names}: {lower}"
    first = fits[0]
    return (
        f"{model} has no profile on {names}: it takes {first.count} partitions of {first.product} {first.mode}, and "
        f"AIM's profiles are of {MOST_DEVICES} at most: {lower}, or start the engine there by arguments of your own"
    )

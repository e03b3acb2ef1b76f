"""``aim-gpu profiles``: AIM profiles of models on GPU partitions, as files, as a list, or of one model."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.cli.model_files import facts_of_config_file
from controller.cli.output import Output, failed, print_json, print_table, refuse
from controller.cli.profile_directory import NotOurs, ProfileDirectory
from controller.gpu.mode import Mode, ModeError
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.profiles.aim_profile import MODEL_ID, AIMProfile, Metric
from controller.profiles.generator import AIMProfileGenerator, served_by_id
from controller.profiles.index import Emitted, Indexer, Row, document
from controller.profiles.lists import LISTS, wanted
from controller.sizing.catalog import Catalog
from controller.sizing.engine_support import ENGINE_PRODUCTS, obstacle, obstacles
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision, resolve_precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest

profiles = typer.Typer(no_args_is_help=True, help="AIM profiles of models on GPU partitions: calculated, not measured.")

Gpus = Annotated[
    list[str] | None,
    typer.Option("--gpu", help="Only this product, such as MI300X. Repeatable. Default: all that the engine runs on."),
]
Form = Annotated[Output, typer.Option("--output", "-o", help="table for people, json for programs.")]
Lists = dict[str, list[Row]]


@profiles.command()
def generate(
    out: Annotated[Path, typer.Option(help="A directory: new, empty, or generated before and then replaced whole.")],
    gpu: Gpus = None,
    output: Form = Output.TABLE,
) -> None:
    """Write the profiles of all listed models, and index.json, which says what became of each."""
    products = _products(gpu)
    lists: Lists = {name: [] for name in LISTS}
    try:
        with ProfileDirectory(out) as directory:
            for name, row in _rows(products):
                lists[name].append(row)
                for profile in _profiles(row):
                    directory.write(profile.path, profile.to_yaml())
            index = document(lists)
            directory.replace(index)
    except NotOurs as error:
        refuse(str(error))
    except OSError as error:
        raise failed(f"--out {out}: {error.strerror or error}; nothing was changed there") from None
    if output is Output.JSON:
        print_json(index["counts"])
    else:
        print_table(_summary(index["counts"]))


@profiles.command(name="list")
def list_(gpu: Gpus = None, output: Form = Output.TABLE) -> None:
    """Show which listed models have profiles, on how little, and why the others have none."""
    products = _products(gpu)
    lists: Lists = {name: [] for name in LISTS}
    for name, row in _rows(products):
        lists[name].append(row)
    if output is Output.JSON:
        print_json(document(lists))
        return
    table = Table("MODEL", "PRECISION", "PROFILES", "SMALLEST", "WEIGHTS")
    for rows in lists.values():
        for row in rows:
            table.add_row(row.listed.id or row.listed.name, row.precision.value, *_cells(row))
        table.add_section()
    print_table(table)


@profiles.command()
def show(
    model: Annotated[str, typer.Argument(help="Model id, owner/name, exactly as on the hub.")],
    gpu: Gpus = None,
    config: Annotated[
        Path | None, typer.Option(help="The model's config.json, for one that the catalogue has not got.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="Only this mode, such as CPX/NPS4.")] = None,
    metric: Annotated[Metric | None, typer.Option(help="Only this metric.")] = None,
    precision: Annotated[Precision, typer.Option(help="Precision of the weights.")] = Precision.AUTO,
    max_model_len: Annotated[
        int | None, typer.Option(help="Tokens of the longest request. Default: the model's maximum, at most 8192.")
    ] = None,
    max_concurrency: Annotated[int | None, typer.Option(help="Requests held at once. Default: 8.")] = None,
) -> None:
    """Print a model's profiles as YAML documents."""
    products = _products(gpu)
    request = SizingRequest(model, precision, max_model_len, max_concurrency)
    try:
        wanted_mode = Mode.parse(mode) if mode else None
        catalog = _catalog_with(model, config)
        served = served_by_id(catalog.get(model), request)
        found = AIMProfileGenerator(ModelSizingConfig(catalog), products).generate(served)
    except (SizingError, ModeError) as error:
        refuse(str(error))
    chosen = [
        profile
        for profile in found
        if wanted_mode in (None, profile.target.mode) and metric in (None, profile.target.metric)
    ]
    if not chosen:
        wall = obstacles(products, resolve_precision(catalog.get(model), precision))
        raise failed(wall or _nothing(model, products, mode, found))
    typer.echo("---\n".join(f"# {profile.path}\n{profile.to_yaml()}" for profile in chosen), nl=False)


def _catalog_with(model: str, config: Path | None) -> Catalog:
    """The catalogue, with the model that a config.json describes under the id it was given."""
    if config is None:
        return Catalog.bundled()
    if not MODEL_ID.fullmatch(model):
        refuse(f"model id {model!r} is not of the form owner/name, by which AIM files its profiles")
    return Catalog.bundled().with_models([facts_of_config_file(config, model)])


def _products(names: list[str] | None) -> tuple[Product, ...]:
    """The products of that name, in the table's order. Ends with exit code 2 when the engine does not run on one."""
    try:
        named = {product_named(name) for name in names or ()}
    except UnknownProduct as error:
        refuse(str(error))
    for product in named - set(ENGINE_PRODUCTS):
        runs = ", ".join(product.name for product in ENGINE_PRODUCTS)
        refuse(f"{obstacle(product, Precision.AUTO)}: use one of {runs}")
    return tuple(product for product in ENGINE_PRODUCTS if product in named) if named else ENGINE_PRODUCTS


def _rows(products: tuple[Product, ...]) -> Iterator[tuple[str, Row]]:
    """Every row with its list's name, with a progress bar at a terminal."""
    from rich.progress import track  # a tenth of what the other commands here take to start

    catalog = Catalog.bundled()
    indexer = Indexer(catalog, AIMProfileGenerator(ModelSizingConfig(catalog), products))
    todo = [(name, one) for name in LISTS for one in wanted(name)]
    shown = track(todo, "profiles", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    for name, one in shown:
        yield name, indexer.row(one)


def _profiles(row: Row) -> tuple[AIMProfile, ...]:
    return row.outcome.profiles if isinstance(row.outcome, Emitted) else ()


def _summary(counts: dict[str, dict[str, int]]) -> Table:
    first = next(iter(counts.values()))
    table = Table("LIST", *(status.upper() for status in first))
    for name, found in counts.items():
        table.add_row(name, *map(str, found.values()))
    return table


def _cells(row: Row) -> tuple[str, str, str]:
    if not isinstance(row.outcome, Emitted):
        return "-", row.status, "-"
    smallest = min(row.outcome.profiles, key=_memory).target
    times = f"{smallest.count} x " if smallest.count > 1 else ""
    return str(len(row.outcome.profiles)), f"{times}{smallest.gpu} {smallest.mode}", row.outcome.weights.value


def _memory(profile: AIMProfile) -> tuple[int, bool]:
    target = profile.target
    product = product_named(target.gpu)
    return target.count * product.partition_bytes(target.mode), target.mode not in product.validated


def _nothing(model: str, products: tuple[Product, ...], mode: str | None, found: tuple[AIMProfile, ...]) -> str:
    names = ", ".join(product.name for product in products)
    if not found:
        return f"{model} fits nowhere on {names}: lower --precision, --max-model-len or --max-concurrency"
    modes = ", ".join(dict.fromkeys(str(profile.target.mode) for profile in found))
    return f"{model} has no profile in --mode {mode} on {names}: use one of {modes}"

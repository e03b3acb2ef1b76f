"""``aim-gpu profiles``: AIM profiles of models on GPU partitions, as files, as a list, or of one model."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from controller.cli import profile_show
from controller.cli.output import Output, failed, print_json, print_table, refuse
from controller.cli.profile_directory import NotOurs, ProfileDirectory
from controller.cli.profile_products import NoEngine, engine_products
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.profiles.aim_profile import AIMProfile
from controller.profiles.generator import AIMProfileGenerator
from controller.profiles.index import Emitted, Indexer, Row, document
from controller.profiles.lists import LISTS, wanted
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import ModelSizingConfig

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


@profiles.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def show(context: typer.Context) -> None:
    """Print a model's profiles as YAML documents."""
    raise typer.Exit(profile_show.run(context.args))


def _products(names: list[str] | None) -> tuple[Product, ...]:
    try:
        return engine_products(names)
    except (UnknownProduct, NoEngine) as error:
        refuse(str(error))


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

"""The profiles of all listed models, calculated: written to files, or summed up in a table."""

import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from controller.cli.output import Output, failed, print_document, print_table, refuse
from controller.cli.profile_directory import NotOurs, ProfileDirectory
from controller.cli.profile_products import NoEngine, engine_products
from controller.gpu.product import Product, UnknownProduct, product_named
from controller.profiles.aim_profile import AIMProfile
from controller.profiles.generator import AIMProfileGenerator
from controller.profiles.index import Emitted, Indexer, Row, document
from controller.profiles.lists import LISTS, wanted
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import ModelSizingConfig

Lists = dict[str, list[Row]]


def write_all(out: Path, gpu: list[str] | None, output: Output) -> None:
    """Write them into a directory with an index, all or nothing. What cannot be used ends the command (exit 2)."""
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
    if output.for_programs:
        print_document(index["counts"], output)
    else:
        print_table(_summary(index["counts"]), output)


def show_all(gpu: list[str] | None, output: Output) -> None:
    """Show a row a model and precision: how many profiles it has, and the least that holds it."""
    products = _products(gpu)
    lists: Lists = {name: [] for name in LISTS}
    for name, row in _rows(products):
        lists[name].append(row)
    if output.for_programs:
        print_document(document(lists), output)
        return
    table = Table()
    for heading in ("MODEL", "PRECISION", "PROFILES", "SMALLEST", "WEIGHTS"):
        table.add_column(heading, overflow="fold")  # models of one owner begin alike
    for rows in lists.values():
        for row in rows:
            table.add_row(row.listed.id or row.listed.name, row.precision.value, *_cells(row))
        table.add_section()
    print_table(table, output)


def _products(names: list[str] | None) -> tuple[Product, ...]:
    try:
        return engine_products(names)
    except (UnknownProduct, NoEngine) as error:
        refuse(str(error))


def _rows(products: tuple[Product, ...]) -> Iterator[tuple[str, Row]]:
    """Every row with its list's name, with a progress bar at a terminal."""
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

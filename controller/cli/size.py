"""``aim-gpu size``: how much GPU memory a model needs, and which partitions hold it."""

from typing import Annotated, Any

import typer
from rich.table import Table

from controller.cli.output import Output, mebibytes, note, print_json, print_table, refuse
from controller.gpu.product import PRODUCTS, Product, UnknownProduct, product_named
from controller.sizing.catalog import Catalog
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Fit, ModelSizingConfig, Sizing, SizingRequest, fits


def size(
    model: Annotated[str, typer.Argument(help="Model id, owner/name, exactly as on the hub.")],
    precision: Annotated[Precision, typer.Option(help="Precision of the weights.")] = Precision.AUTO,
    max_model_len: Annotated[
        int | None, typer.Option(help="Tokens of the longest request. Default: the model's maximum, at most 8192.")
    ] = None,
    max_concurrency: Annotated[int | None, typer.Option(help="Requests held at once. Default: 8.")] = None,
    gpu: Annotated[str | None, typer.Option(help="Only this product, such as MI300X. Default: every one.")] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="table for people, json for programs.")
    ] = Output.TABLE,
) -> None:
    """Show what a model needs: weights, KV cache, overhead, and the partition modes that hold it."""
    try:
        products = (product_named(gpu),) if gpu else tuple(PRODUCTS.values())
        request = SizingRequest(model, precision, max_model_len, max_concurrency)
        sizing = ModelSizingConfig(Catalog.bundled()).size(request)
    except (SizingError, UnknownProduct) as error:
        refuse(str(error))
    found = [fit for product in products for fit in fits(product, sizing.total_bytes)]
    if not found:
        _note_nothing_fits(sizing, products)
    if output is Output.JSON:
        print_json(document(sizing, found))
    else:
        print_table(_parts(sizing))
        print_table(_fits(found))


def document(sizing: Sizing, found: list[Fit]) -> dict[str, Any]:
    """The answer as JSON has it: all sizes in bytes."""
    return {
        "weights_bytes": sizing.weights_bytes,
        "kv_cache_bytes": sizing.kv_cache_bytes,
        "overhead_bytes": sizing.overhead_bytes,
        "total_bytes": sizing.total_bytes,
        "kv_bytes_per_token": sizing.kv_bytes_per_token,
        "fits": [
            {
                "product": fit.product,
                "mode": str(fit.mode),
                "count": fit.count,
                "headroom_bytes": fit.headroom_bytes,
            }
            for fit in found
        ],
    }


def _note_nothing_fits(sizing: Sizing, products: tuple[Product, ...]) -> None:
    largest = max(products, key=lambda product: product.vram_mib or 0)
    note(
        f"no single partition of {', '.join(product.name for product in products)} holds "
        f"{mebibytes(sizing.total_bytes)} (the largest, a whole {largest.name}, has {largest.vram_mib} MiB): "
        "lower --precision, --max-model-len or --max-concurrency"
    )


def _parts(sizing: Sizing) -> Table:
    title = f"{sizing.model_id} {sizing.precision}, {sizing.max_concurrency} x {sizing.max_model_len} tokens"
    table = Table("PART", "SIZE", title=title, title_justify="left", min_width=len(title))
    table.add_row("weights", mebibytes(sizing.weights_bytes))
    table.add_row("KV cache", mebibytes(sizing.kv_cache_bytes))
    table.add_row("overhead", mebibytes(sizing.overhead_bytes))
    table.add_row("total", mebibytes(sizing.total_bytes))
    return table


def _fits(found: list[Fit]) -> Table:
    table = Table("GPU", "MODE", "VALIDATED", "HEADROOM")
    for fit in found:
        validated = "yes" if fit.mode in PRODUCTS[fit.product].validated else ""
        table.add_row(fit.product, str(fit.mode), validated, mebibytes(fit.headroom_bytes))
    return table

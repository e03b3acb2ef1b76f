"""The table in docs/sizing.md of one model a kind, written from what sizing finds.

``python -m controller.cli.sizing_page --into docs/sizing.md`` writes it between its marks; a test compares.
"""

from collections.abc import Iterator, Sequence

from api.openapi.marked_page import with_tables, write_page
from controller.gpu.product import product_named
from controller.gpu.tables import markdown_table
from controller.sizing.catalog import Catalog
from controller.sizing.precision import Precision
from controller.sizing.requirement import Fit, ModelSizingConfig, SizingRequest

EXAMPLES = (
    ("dense", "meta-llama/Llama-3.1-8B-Instruct", Precision.AUTO),
    ("dense, 8 bit", "meta-llama/Llama-3.1-8B-Instruct", Precision.FP8),
    ("mixture", "Qwen/Qwen3-30B-A3B", Precision.AUTO),
    ("mixture, 4-bit experts", "openai/gpt-oss-20b", Precision.AUTO),
    ("latent attention", "deepseek-ai/DeepSeek-V3", Precision.AUTO),
    ("sliding windows", "google/gemma-3-27b-it", Precision.AUTO),
    ("linear attention", "Qwen/Qwen3-Coder-Next", Precision.INT4),
    ("images", "mistralai/Mistral-Small-3.1-24B-Instruct-2503", Precision.AUTO),
)
"""A model of each kind, with the precision it is sized in."""

_PRODUCT = "MI300X"
_GIB = 2**30


def example_table() -> str:
    """A line an example: the parts of one rank's need in GiB, and the smallest partitions that hold it."""
    header = ("kind", "model", "weights", "KV cache", "activations", "non-torch", "graphs", "margin", "total", "takes")
    return markdown_table(header, _lines())


def _lines() -> Iterator[tuple[str, ...]]:
    sizes = ModelSizingConfig(Catalog.bundled())
    for kind, model_id, asked in EXAMPLES:
        request = SizingRequest(model_id, asked)
        found = sizes.calculate_optimal_partitions(request, [product_named(_PRODUCT)])
        ranks = found[0].count if found else 1
        sizing = sizes.size(SizingRequest(model_id, asked, tensor_parallel=ranks))
        parts = (
            sizing.weights_bytes,
            sizing.kv_cache_bytes,
            sizing.activation_bytes,
            sizing.non_torch_bytes,
            sizing.graph_bytes,
            sizing.margin_bytes,
            sizing.total_bytes,
        )
        name = f"{model_id.partition('/')[2]}, {sizing.precision}"
        yield kind, name, *(f"{part / _GIB:.2f}" for part in parts), _takes(found)


def _takes(found: Sequence[Fit]) -> str:
    if not found:
        return "more than 8 GPUs"
    first = found[0]
    return f"{first.count} x {first.mode}" if first.count > 1 else str(first.mode)


def filled(page: str) -> str:
    """The page with its table as it is now. Raises ValueError for a mark that is not there."""
    return with_tables(page, {"examples": example_table()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the table into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()

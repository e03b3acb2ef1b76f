"""The product table for readers, as Markdown: what each product is, what its modes make of it, where that is from."""

from collections.abc import Iterable, Sequence

from controller.gpu.layout import slices
from controller.gpu.product import PRODUCTS, Product


def product_table() -> str:
    """A line a product: its ids, size, dies and modes, the validated ones in bold."""
    header = ("product", "PCI device ids", "memory, MiB", "dies", "compute units", "modes the driver knows")
    return markdown_table(
        header,
        (
            (
                product.name,
                _ids(product),
                str(product.vram_mib),
                str(product.xcds),
                str(product.compute_units),
                _modes(product),
            )
            for product in PRODUCTS.values()
        ),
    )


def slice_table() -> str:
    """A line a product and number of partitions: how much of the GPU each partition has."""
    rows = []
    for product in PRODUCTS.values():
        for compute in product.compute_modes:
            modes = [mode for mode in product.allowed if mode.compute is compute]
            pieces = slices(product, modes[0])
            rows.append(
                (
                    product.name,
                    compute,
                    ", ".join(mode.memory for mode in modes),
                    str(len(pieces)),
                    str(pieces[0].bytes // 2**20),
                    str(pieces[0].compute_units),
                )
            )
    header = ("product", "compute mode", "memory modes", "partitions", "MiB each", "compute units each")
    return markdown_table(header, rows)


def source_table() -> str:
    """A line a product: where each of its facts is from, and what is weak about them."""
    header = ("product", "ids", "memory", "compute units", "modes", "validated", "weak")
    return markdown_table(
        header,
        (
            (
                product.name,
                product.sources.ids,
                product.sources.memory,
                product.sources.compute_units,
                product.sources.allowed,
                product.sources.validated,
                product.sources.weak,
            )
            for product in PRODUCTS.values()
        ),
    )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, without a line end after its last line."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ids(product: Product) -> str:
    whole = sorted(product.device_ids - product.virtual_device_ids)
    virtual = [f"{device_id:#06x} (virtual function)" for device_id in sorted(product.virtual_device_ids)]
    return ", ".join([*(f"{device_id:#06x}" for device_id in whole), *virtual])


def _modes(product: Product) -> str:
    listed = [f"**{mode}**" if mode in product.validated else str(mode) for mode in product.allowed]
    virtual = [f"{mode} (virtual function only)" for mode in product.virtual_modes]
    return ", ".join([*listed, *virtual])

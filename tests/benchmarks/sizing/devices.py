"""What a GPU is, by its name: its memory as drivers print it, its platform and compute units, for rows that do not say.

Figures are GiB that vLLM or torch printed as "total capacity" in public logs and threads; a device prints less than
its name says, by what the firmware and error correction keep. The project's own table of AMD products
(``controller/gpu/product.py``) comes first.
"""

import re

from controller.gpu.product import PRODUCTS, Product
from controller.sizing.engine import Platform

PRINTED_GIB = (
    ("h100 nvl", 93.11),
    ("h100 pcie", 79.11),
    ("h100", 79.19),
    ("h200", 139.81),
    ("gh200", 94.5),
    ("b200", 178.35),
    ("b300", 268.58),
    ("a100 sxm 40", 39.49),
    ("a100 40", 39.49),
    ("a100 80", 79.25),
    ("a800 80", 79.25),
    ("l40s", 44.42),
    ("l40", 44.42),
    ("l4", 22.03),
    ("t4", 14.56),
    ("v100 32", 31.73),
    ("v100", 15.77),
    ("a10g", 22.07),
    ("a10", 22.07),
    ("a40", 44.4),
    ("rtx a6000", 47.4),
    ("rtx 6000 ada", 47.4),
    ("rtx pro 6000", 94.97),
    ("rtx 5000 ada", 31.5),
    ("rtx 5090", 31.36),
    ("rtx 5080", 15.47),
    ("rtx 4090 laptop", 15.7),
    ("rtx 4090", 23.53),
    ("rtx 4080", 15.7),
    ("rtx 4070 laptop", 7.65),
    ("rtx 3090", 23.57),
    ("rtx 3060", 11.66),
    ("r9700", 31.86),
    ("7900 xtx", 23.98),
    ("7900xtx", 23.98),
    ("w7900", 47.98),
    ("mi250", 63.98),
    ("mi210", 63.98),
    ("mi100", 31.98),
)
"""Words of a name, all of which must occur, and GiB. The first that matches counts."""

_SHARE_OF_NAME = 0.985
"""Printed by nominal size where only that is known: 0.97 to 1.0 in the table above without error-corrected GDDR."""

_UNIFIED = ("strix", "unified", "grace", "gb10", "dgx spark", "jetson")
"""Devices that share the host's memory: the total is a setting of the host, not a property of the product."""

_GIGABYTES = re.compile(r"(\d+(?:\.\d+)?)\s*g(?:i?b)\b", re.IGNORECASE)


_AMD = re.compile(
    r"\b(amd|advanced micro|radeon|instinct|hygon|rocm|strix|ryzen|mi\d{2,3}[ax]?|gfx\d\w+|rx ?\d{4}|r9700|w7[89]00|"
    r"7900 ?xtx?)\b"
)
_NVIDIA = re.compile(
    r"\b(nvidia|geforce|quadro|tesla|titan|jetson|grace|dgx|rtx|gtx|g[bh]\d{2,3}|a(2|10g?|16|30|40|100|800|[2456][05]00)|"
    r"b[123]00|h(20|100|200|800)|l(4|20|40s?)|t4|v100|p(4|40|100)|[2345]0[5-9]0(ti)?)\b"
)
"""Words that are of one vendor's products alone."""

_NOT_SAID = frozenset({"", "-", "n/a", "unknown", "not said", "not named"})

_GFX = re.compile(r"\bgfx(\d{1,2})(\d)([0-9a-f])\b")
_GFX_OF_OLD = {"mi25": 90000, "mi50": 90006, "mi60": 90006}
"""Instinct products before the project's table, by the kernel's number of their instruction set."""

MULTIPROCESSORS = (("h100 pcie", 114), ("h100", 132), ("h200", 132), ("gh200", 132), ("a100", 108), ("b200", 148))
"""NVIDIA's data sheets: those of the devices that most rows are of. Of others the number is not taken as known."""


def platform(name: str, vendor: str) -> Platform | None:
    """What vLLM runs as there: by the vendor that is said, else by the device's name; None where neither tells."""
    said = vendor.strip().casefold()
    words = re.sub(r"[^a-z0-9. ]+", " ", name.casefold()) if said in _NOT_SAID else said
    if _AMD.search(words):
        return "rocm"
    return "cuda" if _NVIDIA.search(words) else None


def product_of(name: str) -> Product | None:
    """The project's product of that name."""
    folded = name.casefold()
    return next(
        (product for product in PRODUCTS.values() if re.search(rf"\b{re.escape(product.name.casefold())}\b", folded)),
        None,
    )


def gfx_version(name: str) -> int | None:
    """The kernel's number of an AMD device's instruction set, where its name tells."""
    if product := product_of(name):
        return product.gfx_version
    folded = name.casefold()
    if found := _GFX.search(folded):
        return int(found[1]) * 10_000 + int(found[2]) * 100 + int(found[3], 16)
    return next((gfx for word, gfx in _GFX_OF_OLD.items() if re.search(rf"\b{word}\b", folded)), None)


def multiprocessors(name: str) -> int | None:
    """Compute units or multiprocessors of a whole device, where known."""
    if product := product_of(name):
        return product.compute_units
    words = re.sub(r"[^a-z0-9. ]+", " ", name.casefold())
    return next(
        (
            count
            for pattern, count in MULTIPROCESSORS
            if all(re.search(rf"\b{word}(gb)?\b", words) for word in pattern.split())
        ),
        None,
    )


def total_gib(name: str) -> float | None:
    """GiB of a device by its name; None where it does not follow from that."""
    folded = name.casefold()
    if any(word in folded for word in _UNIFIED):
        return None
    product = product_of(name)
    if product is not None and product.vram_mib is not None:
        return product.vram_mib / 1024
    words = re.sub(r"[^a-z0-9. ]+", " ", folded)
    for pattern, gib in PRINTED_GIB:
        if all(re.search(rf"\b{re.escape(word)}(gb)?\b", words) for word in pattern.split()):
            return gib
    found = _GIGABYTES.search(folded)
    return float(found[1]) * _SHARE_OF_NAME if found else None

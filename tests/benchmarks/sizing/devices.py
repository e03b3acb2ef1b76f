"""How much memory a GPU has, by its name: what drivers print, for rows that do not say.

Figures are GiB that vLLM or torch printed as "total capacity" in public logs and threads; a device prints less than
its name says, by what the firmware and error correction keep. The project's own table of AMD products
(``controller/gpu/product.py``) comes first.
"""

import re

from controller.gpu.product import PRODUCTS

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


def total_gib(name: str) -> float | None:
    """GiB of a device by its name; None where it does not follow from that."""
    folded = name.casefold()
    if any(word in folded for word in _UNIFIED):
        return None
    for product in PRODUCTS.values():
        if product.vram_mib is not None and re.search(rf"\b{re.escape(product.name.casefold())}\b", folded):
            return product.vram_mib / 1024
    words = re.sub(r"[^a-z0-9. ]+", " ", folded)
    for pattern, gib in PRINTED_GIB:
        if all(re.search(rf"\b{re.escape(word)}(gb)?\b", words) for word in pattern.split()):
            return gib
    found = _GIGABYTES.search(folded)
    return float(found[1]) * _SHARE_OF_NAME if found else None

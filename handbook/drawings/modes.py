"""One GPU in each of its compute modes, to scale, from the product's table."""

from typing import Final

from controller.gpu.layout import slices
from controller.gpu.mode import Mode
from controller.gpu.product import product_named
from handbook.drawings.svg import Picture

PRODUCT: Final = "MI300X"
MODES: Final = ("SPX/NPS1", "DPX/NPS1", "QPX/NPS1", "CPX/NPS4")
_COLOURS: Final = ("blue", "green", "amber", "violet")
_LEFT: Final = 110
_WIDE: Final = 640
_ROW: Final = 66


def modes() -> Picture:
    """A row a mode, a box a partition."""
    product = product_named(PRODUCT)
    told = []
    picture = Picture("modes", _LEFT + _WIDE + 20, 40 + _ROW * len(MODES), f"One {PRODUCT} in four modes", "", words=[])
    picture.text(_LEFT, 26, f"one {PRODUCT}: memory from left to right, a box a partition", size=12)
    for row, (name, colour) in enumerate(zip(MODES, _COLOURS, strict=True)):
        pieces = slices(product, Mode.parse(name))
        y = 40 + row * _ROW
        picture.text(12, y + 32, name, bold=True, room=_LEFT - 14)
        each = _WIDE / len(pieces)
        gib = round(pieces[0].bytes / 2**30)
        told.append(f"{name}: {len(pieces)} of {gib} GiB and {pieces[0].compute_units} compute units")
        for piece in pieces:
            lines = [f"{gib} GiB", f"{piece.compute_units} CUs"]
            picture.box(_LEFT + piece.index * each + 1, y, each - 2, _ROW - 12, lines, colour)
    picture.told = "; ".join(told) + "."
    return picture

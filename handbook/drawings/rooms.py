"""The rooms of `controller/` in layers, from the contract that imports are held to."""

import tomllib

from handbook.borrowed import ROOT
from handbook.drawings.svg import Picture

PURE = frozenset({"gpu", "sizing", "profiles", "placement", "repartition", "binding", "qos"})
"""Rooms that decide without I/O and clocks; a test compares with the contract."""


def layers() -> list[list[str]]:
    """Rooms by layer, the highest first, as pyproject.toml has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (found,) = [one for one in contracts if one["name"] == "Imports go down only"]
    return [[room.strip(" ()") for room in layer.split("|")] for layer in found["layers"]]


def rooms() -> Picture:
    """A row a layer; imports go down only."""
    found = layers()
    told = "; below it ".join(", ".join(layer) for layer in found)
    picture = Picture("rooms", 860, 56 + 46 * len(found), "Rooms of controller/, in layers", f"From the top: {told}.")
    picture.text(10, 22, "imports go down only · green: pure, no I/O and no clock", size=12)
    for row, layer in enumerate(found):
        wide = 840 / len(layer)
        for column, room in enumerate(layer):
            picture.box(10 + column * wide, 36 + row * 46, wide - 8, 38, (room,), "green" if room in PURE else "blue")
    return picture

"""The modes that simulated hardware is in: kept in memory and, with a file, over restarts, as real hardware does."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import orjson

from controller.gpu.mode import ComputeMode, MemoryMode, Mode
from controller.gpu.product import Product


class StateFileError(ValueError):
    """A state file that cannot be believed. The text names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class SimulatedModes:
    """`requested` is the memory mode that the next driver reload puts into effect."""

    memory: MemoryMode
    requested: MemoryMode
    compute: Mapping[str, ComputeMode]

    @classmethod
    def uniform(cls, bdfs: tuple[str, ...], mode: Mode) -> Self:
        """Every GPU in one mode."""
        return cls(mode.memory, mode.memory, dict.fromkeys(bdfs, mode.compute))

    def with_compute(self, bdf: str, mode: ComputeMode) -> Self:
        """One GPU's compute mode changed."""
        return replace(self, compute={**self.compute, bdf: mode})

    def reloaded(self, product: Product) -> Self:
        """After a driver reload: the requested memory mode, compute SPX or else the first mode allowed with it."""
        allowed = [mode.compute for mode in product.allowed if mode.memory is self.requested]
        default = ComputeMode.SPX if ComputeMode.SPX in allowed else allowed[0]
        return replace(self, memory=self.requested, compute=dict.fromkeys(self.compute, default))


def load_modes(path: Path, bdfs: tuple[str, ...], product: Product) -> SimulatedModes | None:
    """The modes in the file, None when there is no file. Raises StateFileError for another node's or a broken one."""
    try:
        document = orjson.loads(path.read_bytes())
        modes = SimulatedModes(
            MemoryMode(document["memory"]),
            MemoryMode(document["requested"]),
            {bdf: ComputeMode(mode) for bdf, mode in document["compute"].items()},
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateFileError(f"{path}: holds no simulated modes ({error!r}): delete it to start anew") from error
    if set(modes.compute) != set(bdfs):
        raise StateFileError(f"{path}: is of a node with {len(modes.compute)} GPUs, not {len(bdfs)}: delete it")
    unknown = {Mode(compute, modes.memory) for compute in modes.compute.values()} - set(product.allowed)
    if unknown:
        raise StateFileError(f"{path}: has GPUs in {min(unknown)}, which {product.name} has not got: delete it")
    return modes


def save_modes(path: Path, modes: SimulatedModes) -> None:
    """Replace the file in one step: a crash leaves the old or the new modes, never half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"memory": modes.memory, "requested": modes.requested, "compute": dict(modes.compute)}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

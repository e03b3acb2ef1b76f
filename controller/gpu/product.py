"""The Instinct products: what each one is, the modes its driver allows and the ones AMD validates.

Sources, by the short names the table uses:

- *driver*: Linux ``drivers/gpu/drm/amd/amdgpu/aqua_vanjaram.c``, the compute x memory pairs of a compute mode. The
  driver intersects them with what the card reports, so a mode listed here may still be refused by one card.
- *specifications*: AMD's "GPU hardware specifications" (rocm.docs.amd.com): VRAM, compute units, dies.
- *ids*: the PCI id database (pciutils/pciids) and libdrm's ``data/amdgpu.ids``; virtual functions also in
  ROCm/gpu-operator ``internal/utils.go`` and vLLM ``platforms/rocm.py``.
- *guide*: AMD's GPU partitioning guide (instinct.docs.amd.com): the modes it has tested, per product.
- *release notes*: AMD driver release notes 30.10, which extend that list to the MI350 series.
- *recording*: a KFD topology of a real host (ROCm/k8s-device-plugin ``testdata``).
- *rocm-smi*, *vLLM*: what these print on such a device.

Sizes are MiB as devices report them, which is the nominal size less 16 MiB (MI300A: the nominal size, its memory being
the host's). Nothing here was read from a GPU by this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.gpu.mode import ComputeMode, Mode, ModeError, mode

_MIB = 2**20

_FIXED_COUNTS = {ComputeMode.SPX: 1, ComputeMode.DPX: 2, ComputeMode.TPX: 3, ComputeMode.QPX: 4}


class UnknownProduct(ValueError):
    """A product name that is in no table. The text names the known ones."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where each fact of a product is from, in the words of this module's list. `weak`: what not to rely on, or ""."""

    ids: str
    memory: str
    compute_units: str
    allowed: str
    validated: str
    weak: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """One Instinct product, as one PCI device shows it (an MI250X shows two devices, one per die).

    ``vram_mib`` is the whole device in MiB (None: not established), ``xcds`` its compute dies, ``allowed`` the modes
    its driver knows, in the order SPX to CPX, ``validated`` those AMD has tested. ``virtual_device_ids`` are those of
    the ids that a virtual function has, ``virtual_modes`` what the driver knows on such a one besides; a guest can
    read its modes and not set them. ``gfx_version`` is the kernel's number of the instruction set, 90402 for gfx942.
    Sizes serve planning only: what a node's hardware reports replaces them.
    """

    name: str
    device_ids: frozenset[int]
    vram_mib: int | None
    xcds: int
    compute_units: int
    allowed: tuple[Mode, ...]
    validated: frozenset[Mode]
    gfx_version: int
    sources: Sources
    virtual_device_ids: frozenset[int] = frozenset()
    virtual_modes: tuple[Mode, ...] = ()

    @property
    def partitionable(self) -> bool:
        """Whether it can be divided at all."""
        return any(allowed.compute is not ComputeMode.SPX for allowed in self.allowed)

    @property
    def compute_units_published(self) -> bool:
        """Whether AMD publishes the compute units; where not they are one host's, and another may have others."""
        return "specifications" in self.sources.compute_units

    @property
    def device_id(self) -> int:
        """The PCI device id of a whole one; the lowest where several models share the product's name."""
        return min(self.device_ids - self.virtual_device_ids)

    def modes_of(self, device_id: int) -> tuple[Mode, ...]:
        """The modes the driver knows on a device of that id: on a virtual function they can be more."""
        return (*self.allowed, *self.virtual_modes) if device_id in self.virtual_device_ids else self.allowed

    @property
    def compute_modes(self) -> tuple[ComputeMode, ...]:
        """The compute modes among the allowed ones, each once, in their order."""
        return tuple(dict.fromkeys(allowed.compute for allowed in self.allowed))

    def partition_count(self, compute: ComputeMode) -> int:
        """How many partitions a compute mode makes. Raises ModeError when the product has not got it."""
        if compute not in self.compute_modes:
            raise ModeError(
                f"compute mode {compute} does not exist on {self.name}: use one of {', '.join(self.compute_modes)}"
            )
        return self.xcds if compute is ComputeMode.CPX else _FIXED_COUNTS[compute]

    def partition_bytes(self, mode: Mode) -> int:
        """Bytes of one partition: whole MiB, the even share.

        The share is the same under every memory mode: the driver divides a memory range by the partitions in it.
        (Cards show the last range 16 MiB smaller, which moves a share by at most that.)
        Raises ModeError when the product has not got the mode, or when its memory size is not established.
        """
        self._require(mode)
        if self.vram_mib is None:
            raise ModeError(f"the memory of {self.name} is not established: read it from the device")
        return self.vram_mib // self.partition_count(mode.compute) * _MIB

    def partition_compute_units(self, mode: Mode) -> int:
        """Compute units of one partition. Raises ModeError when the product has not got the mode."""
        self._require(mode)
        return self.compute_units // self.partition_count(mode.compute)

    def _require(self, mode: Mode) -> None:
        if mode not in (*self.allowed, *self.virtual_modes):
            raise ModeError(
                f"mode {mode} does not exist on {self.name}: use one of {', '.join(str(m) for m in self.allowed)}"
            )


def _modes(*texts: str) -> tuple[Mode, ...]:
    return tuple(mode(text) for text in texts)


_MI300_MODES = _modes("SPX/NPS1", "DPX/NPS1", "DPX/NPS2", "QPX/NPS1", "QPX/NPS4", "CPX/NPS1", "CPX/NPS4")
_MI300A_MODES = _modes("SPX/NPS1", "TPX/NPS1", "CPX/NPS1")
_MI308_MODES = _modes("SPX/NPS1", "DPX/NPS1", "DPX/NPS2", "CPX/NPS1", "CPX/NPS4")
_MI350_MODES = _modes(
    "SPX/NPS1", "DPX/NPS1", "DPX/NPS2", "QPX/NPS1", "QPX/NPS2", "QPX/NPS4", "CPX/NPS1", "CPX/NPS2", "CPX/NPS4"
)
_WHOLE = _modes("SPX/NPS1")
_VIRTUAL_MODES = _modes("CPX/NPS2")
"""On SR-IOV virtual functions of the MI300 series only."""


_TABLE = (
    Product(
        name="MI300X",
        device_ids=frozenset({0x74A1, 0x74B5}),
        vram_mib=196592,
        xcds=8,
        compute_units=304,
        allowed=_MI300_MODES,
        validated=frozenset(_modes("SPX/NPS1", "DPX/NPS2", "CPX/NPS4")),
        gfx_version=90402,
        sources=Sources(
            ids="ids", memory="guide", compute_units="recording, specifications", allowed="driver", validated="guide"
        ),
        virtual_device_ids=frozenset({0x74B5}),
        virtual_modes=_VIRTUAL_MODES,
    ),
    Product(
        name="MI325X",
        device_ids=frozenset({0x74A5, 0x74B9}),
        vram_mib=262128,
        xcds=8,
        compute_units=304,
        allowed=_MI300_MODES,
        validated=frozenset(_WHOLE),
        gfx_version=90402,
        sources=Sources(
            ids="ids",
            memory="vLLM (255.98 GiB)",
            compute_units="specifications",
            allowed="driver",
            validated="guide (users run CPX as well)",
        ),
        virtual_device_ids=frozenset({0x74B9}),
        virtual_modes=_VIRTUAL_MODES,
    ),
    Product(
        name="MI350X",
        device_ids=frozenset({0x75A0}),
        vram_mib=294896,
        xcds=8,
        compute_units=256,
        allowed=_MI350_MODES,
        validated=frozenset(_modes("SPX/NPS1", "DPX/NPS2")),
        gfx_version=90500,
        sources=Sources(
            ids="ids",
            memory="as MI355X",
            compute_units="specifications",
            allowed="driver (its pairs for this series)",
            validated="release notes",
            weak="memory: taken from the MI355X",
        ),
    ),
    Product(
        name="MI355X",
        device_ids=frozenset({0x75A3}),
        vram_mib=294896,
        xcds=8,
        compute_units=256,
        allowed=_MI350_MODES,
        validated=frozenset(_modes("SPX/NPS1", "DPX/NPS2")),
        gfx_version=90500,
        sources=Sources(
            ids="ids",
            memory="vLLM (287.98 GiB)",
            compute_units="specifications",
            allowed="driver (its pairs for this series)",
            validated="release notes",
        ),
    ),
    Product(
        name="MI300A",
        device_ids=frozenset({0x74A0}),
        vram_mib=131072,
        xcds=6,
        compute_units=228,
        allowed=_MI300A_MODES,
        validated=frozenset(_WHOLE),
        gfx_version=90402,
        sources=Sources(
            ids="ids",
            memory="specifications (nominal: it is the host's)",
            compute_units="specifications",
            # AMD SMI's own page claims DPX; the driver asks for dies in fours there
            allowed="driver (no DPX: six dies); NPS1 only: guide",
            validated="guide",
            weak="memory: what the driver leaves to the GPU is known only on the host",
        ),
    ),
    Product(
        name="MI308X",
        device_ids=frozenset({0x74A2, 0x74B6}),
        vram_mib=196592,
        xcds=4,
        compute_units=80,
        allowed=_MI308_MODES,
        validated=frozenset(_WHOLE),
        gfx_version=90402,
        sources=Sources(
            ids="ids",
            memory="recording",
            compute_units="recording (4 partitions of 20)",
            allowed="driver (its modes for four dies)",
            validated="none published: the mode it ships in",
            weak="dies, compute units and memory: from one recorded host, AMD publishes none",
        ),
        virtual_device_ids=frozenset({0x74B6}),
        virtual_modes=_VIRTUAL_MODES,
    ),
    Product(
        name="MI250X",
        device_ids=frozenset({0x7408, 0x740C}),
        vram_mib=65520,
        xcds=1,
        compute_units=110,
        allowed=_WHOLE,
        validated=frozenset(_WHOLE),
        gfx_version=90010,
        sources=Sources(
            ids="ids",
            memory="rocm-smi",
            compute_units="specifications (per die)",
            allowed="driver (cannot partition)",
            validated="driver",
            weak="compute units: id 0x740c is shared with the MI250, whose dies have 104",
        ),
    ),
    Product(
        name="MI210",
        device_ids=frozenset({0x740F, 0x7410}),
        vram_mib=65520,
        xcds=1,
        compute_units=104,
        allowed=_WHOLE,
        validated=frozenset(_WHOLE),
        gfx_version=90010,
        sources=Sources(
            ids="ids",
            memory="rocm-smi",
            compute_units="recording, specifications",
            allowed="driver (cannot partition)",
            validated="driver",
        ),
        virtual_device_ids=frozenset({0x7410}),
    ),
    Product(
        name="MI100",
        device_ids=frozenset({0x738C, 0x738E}),
        vram_mib=32752,
        xcds=1,
        compute_units=120,
        allowed=_WHOLE,
        validated=frozenset(_WHOLE),
        gfx_version=90008,
        sources=Sources(
            ids="ids",
            memory="rocm-smi",
            compute_units="specifications",
            allowed="driver (cannot partition)",
            validated="driver",
        ),
    ),
)

PRODUCTS: Mapping[str, Product] = MappingProxyType({product.name: product for product in _TABLE})
"""Every known product by name, the partitionable ones first."""

_BY_DEVICE = {device_id: product for product in _TABLE for device_id in product.device_ids}


def product_named(name: str) -> Product:
    """The product of that exact name. Raises UnknownProduct naming the one that is meant, or the known ones."""
    try:
        return PRODUCTS[name]
    except KeyError:
        meant = next((f"did you mean {each}?" for each in PRODUCTS if each.casefold() == name.casefold()), "")
        remedy = meant or f"use one of {', '.join(PRODUCTS)}"
        raise UnknownProduct(f"GPU {name!r} is not a known product: {remedy}") from None


def product_of_device(device_id: int) -> Product | None:
    """The product with that PCI device id; None when no table has it."""
    return _BY_DEVICE.get(device_id)

"""What a simulated node is made of: a server of eight GPUs as the KFD topology of one with MI300X was recorded.

Addresses, render minors and unique ids are those of the recording `topo-mi300-cpx` published with AMD's Kubernetes
device plugin (ROCm/k8s-device-plugin, `testdata`); names and driver version those of a published ResourceSlice
(ROCm/k8s-gpu-dra-driver, `docs/demo.md`). Memory, compute units and modes come from `controller.gpu.product`. Servers
of other products are the same server with other GPUs in it; render minors then follow the recordings of MI308X and
MI210, and hives the latter: xGMI links all GPUs of a server, of MI210 the first four and the last four.
"""

from dataclasses import dataclass

from controller.agent.platform_devices import FIRST_RENDER_MINOR, MINORS_PER_GPU
from controller.gpu.identity import bdf_of
from controller.gpu.product import Product, product_named

PRODUCT = "MI300X"
FAMILY = "AI"
DRIVER_VERSION = "6.12.12"
DRIVER_SOURCE_VERSION = "7AA72EC2C8F513519BE86FD"
SIMD_PER_COMPUTE_UNIT = 4

# The driver reserves eight render minors a GPU that can be partitioned, whatever its dies (MI308X has four), so a GPU's
# first minor does not depend on any mode; others have one. Card numbers run beside them from 0 (card 40 is renderD168
# in the published slice); a board whose BMC has a graphics driver of its own starts at 1.
_FIRST_CARD = 0

_MARKET_NAMES = {"MI300X": "AMD_Instinct_MI300X_OAM"}

_RECORDED = (
    (1280, 16404946649897475633),
    (9984, 2472748907779728154),
    (18176, 15565237874008425757),
    (25856, 12035684874187068538),
    (34048, 15304831566906821053),
    (42752, 13644590235195043050),
    (50944, 13326531576914550249),
    (58624, 15931900197903628278),
)
"""(location id, unique id) of each GPU; all are in PCI domain 0."""

MAX_GPUS = len(_RECORDED)

_HIVE_IDS = (15188982192727901047,)
_MI210_HIVE_IDS = (12609507387757274807, 18091350218769748594)
"""The driver's ids of the hives, by the order of their GPUs, all as recorded."""


@dataclass(frozen=True, slots=True)
class SeededGpu:
    """One GPU of the server: what no mode changes. xGMI links those of one `hive_id`."""

    bdf: str
    location_id: int
    unique_id: str
    first_render_index: int
    first_card_index: int
    hive_id: int


def seeded_gpus(count: int = MAX_GPUS, product: Product | None = None) -> tuple[SeededGpu, ...]:
    """The first `count` GPUs of the server, of MI300X or of `product`. Raises ValueError for a count it has not got."""
    if not 1 <= count <= MAX_GPUS:
        raise ValueError(f"gpus {count}: a simulated node has 1 to {MAX_GPUS}")
    product = product or product_named(PRODUCT)
    minors = MINORS_PER_GPU if product.partitionable else 1
    hives = _MI210_HIVE_IDS if product.name == "MI210" else _HIVE_IDS
    return tuple(
        SeededGpu(
            bdf=bdf_of(0, location),
            location_id=location,
            unique_id=str(unique_id),
            first_render_index=FIRST_RENDER_MINOR + minors * number,
            first_card_index=_FIRST_CARD + minors * number,
            hive_id=hives[number * len(hives) // MAX_GPUS],
        )
        for number, (location, unique_id) in enumerate(_RECORDED[:count])
    )


def market_name(product: Product) -> str:
    """What devices of that product call themselves, with underscores for spaces as AMD's DRA driver has it."""
    return _MARKET_NAMES.get(product.name, f"AMD_Instinct_{product.name}")

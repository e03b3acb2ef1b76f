"""What AMD SMI tells of each GPU, as plain data: holes ("N/A", impossible numbers) are None from here on."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

import structlog

from controller.agent.amdsmi_session import Device, Session
from controller.agent.backend import BackendError, DriverGone, EccCount, NotSupported
from controller.agent.hives import Pair
from controller.gpu.mode import ComputeMode, MemoryMode

_UINT32_MAX = 2**32 - 1

_LINK_TYPE = "amdsmi_topo_get_link_type"
_PCIE, _XGMI = 1, 2
"""What that call answers in every release. Not the package's enum `AmdSmiLinkType`: before ROCm 7.0 that was another
call's, with the two the other way round."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition. `kfd_id` is KFD's number of it, `vram_mib` its memory: on some releases the whole GPU's."""

    id: int
    kfd_id: int | None
    render: int | None
    card: int | None
    vram_mib: int | None


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """One way a card can be divided: its index, compute mode and the memory modes it goes with (None: not told)."""

    index: int
    compute: ComputeMode
    memories: frozenset[MemoryMode] | None


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """One GPU. `has_compute_modes`, `has_memory_modes`: whether the device knows such modes at all.

    `profiles` and `memories` (what the card can be in) are None where they are not told; `partition_count` is how many
    partitions the current mode has.
    """

    bdf: str
    market_name: str
    serial: str
    device_id: int | None
    graphics: str
    compute_units: int | None
    vram_mib: int | None
    has_compute_modes: bool
    has_memory_modes: bool
    compute: ComputeMode | None
    memory: MemoryMode | None
    partition_count: int | None
    profiles: tuple[ProfileFacts, ...] | None
    memories: frozenset[MemoryMode] | None
    ecc: EccCount | None
    partitions: tuple[PartitionFacts, ...]


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """All GPUs by address. `driver_version` is "" where it is not told.

    `xgmi_pairs`: the GPUs that xGMI links, None where that is not told of every two.
    """

    driver_version: str
    gpus: tuple[GpuFacts, ...]
    xgmi_pairs: frozenset[Pair] | None = None


def read_facts(session: Session) -> NodeFacts:
    """Everything. Raises BackendError's tree."""
    devices = session.devices()
    by_gpu = {bdf: tuple(group) for bdf, group in groupby(devices, key=lambda device: device.bdf)}
    gpus = tuple(_gpu(session, bdf, group) for bdf, group in by_gpu.items())
    driver = (session.told("amdsmi_get_gpu_driver_info", devices[0]) if devices else None) or {}
    pairs = _xgmi_pairs(session, [group[0] for group in by_gpu.values()])
    return NodeFacts(text(driver.get("driver_version")), gpus, pairs)


def profiles(session: Session, device: Device) -> tuple[ProfileFacts, ...] | None:
    """The profiles of a GPU, asked through its first partition."""
    told = session.told("amdsmi_get_gpu_accelerator_partition_profile_config", device)
    if not told or not told.get("profiles"):
        return None
    found = (_profile(entry) for entry in told["profiles"])
    return tuple(profile for profile in found if profile is not None)


def number(value: Any) -> int | None:
    """A whole number that the library really told: "N/A" and the largest of 32 bits mean that it does not know."""
    return value if isinstance(value, int) and 0 <= value != _UINT32_MAX else None


def text(value: Any) -> str:
    """A text that the library really told, "" for none."""
    told = str(value or "").strip()
    return "" if told == "N/A" else told


def _gpu(session: Session, bdf: str, devices: tuple[Device, ...]) -> GpuFacts:
    first = devices[0]  # whole-GPU facts exist on the first partition only
    asic = session.told("amdsmi_get_gpu_asic_info", first) or {}
    vram = session.told("amdsmi_get_gpu_vram_info", first) or {}
    current = (session.told("amdsmi_get_gpu_accelerator_partition_profile", first) or {}).get("partition_profile") or {}
    caps = (session.told("amdsmi_get_gpu_memory_partition_config", first) or {}).get("partition_caps")
    has_compute, compute = _compute_text(session, first, current)
    has_memory, memory = memory_text(session, first)
    return GpuFacts(
        bdf=bdf,
        market_name=text(asic.get("market_name")),
        serial=_decimal(text(asic.get("asic_serial"))),
        device_id=_from_hex(text(asic.get("device_id"))),
        graphics=text(asic.get("target_graphics_version")),
        compute_units=number(asic.get("num_compute_units")),
        vram_mib=number(vram.get("vram_size")) or None,
        has_compute_modes=has_compute,
        has_memory_modes=has_memory,
        compute=ComputeMode(compute) if compute in ComputeMode.__members__ else None,
        memory=MemoryMode(memory) if memory in MemoryMode.__members__ else None,
        partition_count=number(current.get("num_partitions")) or None,
        profiles=profiles(session, first),
        memories=_memories(caps),
        ecc=_ecc(session, first),
        partitions=tuple(_partition(session, device) for device in devices),
    )


def _xgmi_pairs(session: Session, gpus: Iterable[Device]) -> frozenset[Pair] | None:
    pairs = set()
    for one, other in combinations(gpus, 2):
        kind = (session.told(_LINK_TYPE, one, other.handle) or {}).get("type")
        if kind not in (_PCIE, _XGMI):
            return None
        if kind == _XGMI:
            pairs.add(frozenset({one.bdf, other.bdf}))
    return frozenset(pairs)


def _partition(session: Session, device: Device) -> PartitionFacts:
    kfd = session.told("amdsmi_get_gpu_kfd_info", device) or {}
    nodes = session.told("amdsmi_get_gpu_enumeration_info", device) or {}
    vram = session.told("amdsmi_get_gpu_vram_usage", device) or {}
    return PartitionFacts(
        id=device.partition,
        kfd_id=number(kfd.get("kfd_id")),
        render=number(nodes.get("drm_render")),
        card=number(nodes.get("drm_card")),
        vram_mib=number(vram.get("vram_total")) or None,
    )


def _compute_text(session: Session, device: Device, current: dict[str, Any]) -> tuple[bool, str]:
    call = "amdsmi_get_gpu_compute_partition"
    if session.has(call):
        return _mode_text(session, call, device)
    told = text(current.get("profile_type"))
    return bool(told), told


def memory_text(session: Session, device: Device) -> tuple[bool, str]:
    """Whether the device knows memory modes, and the one it is in, "" where that is not told."""
    call = "amdsmi_get_gpu_memory_partition"
    if session.has(call):
        return _mode_text(session, call, device)
    told = text((session.told("amdsmi_get_gpu_memory_partition_config", device) or {}).get("mp_mode"))
    return bool(told), told


def _mode_text(session: Session, call: str, device: Device) -> tuple[bool, str]:
    try:
        return True, text(session.call(call, device))
    except NotSupported:
        return False, ""
    except DriverGone:
        raise
    except BackendError as error:
        _log.warning("a GPU's mode cannot be read", gpu=device.bdf, error=str(error))
        return True, ""


def _profile(told: dict[str, Any]) -> ProfileFacts | None:
    index, compute = number(told.get("profile_index")), text(told.get("profile_type"))
    if index is None or compute not in ComputeMode.__members__:
        return None
    return ProfileFacts(index, ComputeMode(compute), _memories(told.get("memory_caps")))


def _memories(told: Iterable[Any] | None) -> frozenset[MemoryMode] | None:
    """The memory modes that are listed, None where nothing but "N/A" is. NPS8 exists as an enum only: left out."""
    names = {name for name in told or () if text(name)}
    return frozenset(MemoryMode(name) for name in names & MemoryMode.__members__.keys()) if names else None


def _ecc(session: Session, device: Device) -> EccCount | None:
    told = session.told("amdsmi_get_gpu_total_ecc_count", device) or {}
    counts = [number(told.get(f"{kind}_count")) for kind in ("correctable", "uncorrectable", "deferred")]
    known = [count for count in counts if count is not None]
    return EccCount(*known) if len(known) == len(counts) else None


def _decimal(serial: str) -> str:
    """A serial number as KFD writes it: AMD SMI's `0xE3A5...` in decimal."""
    value = _from_hex(serial)
    return "" if value is None else str(value)


def _from_hex(told: str) -> int | None:
    try:
        return int(told, 16)
    except ValueError:
        return None

"""What partitions are used for and by whom, as AMD SMI tells it."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from controller.agent.amdsmi_facts import number, text
from controller.agent.amdsmi_session import Device, Session
from controller.agent.backend import EDGE, HOTSPOT, MEMORY, GpuProcess, GpuUse, NodeUse, NotSupported, PartitionUse
from controller.gpu.identity import PartitionId

_MIB = 2**20
_SENSORS = {HOTSPOT: "temperature_hotspot", MEMORY: "temperature_mem", EDGE: "temperature_edge"}
_POWER = ("current_socket_power", "average_socket_power")
"""Instinct GPUs since MI300 tell the first, those before the second."""


def read_use(session: Session) -> NodeUse:
    """What is done with every partition and GPU; None where AMD SMI does not tell, or tells only the whole GPU's."""
    partitions: dict[PartitionId, PartitionUse] = {}
    gpus: dict[str, GpuUse] = {}
    for bdf, group in groupby(session.devices(), key=lambda device: device.bdf):
        devices = tuple(group)
        first = devices[0]  # figures of the whole GPU exist on the first partition only
        metrics = session.told("amdsmi_get_gpu_metrics_info", first) or {}
        partitions |= _partitions(session, devices, metrics)
        gpus[bdf] = GpuUse(_temperatures(metrics), _power(metrics))
    return NodeUse(partitions, gpus)


def read_processes(session: Session) -> dict[str, dict[int, str]]:
    """Names by process number, by GPU. Raises BackendError's tree: a list that cannot be read is not an empty one."""
    by_gpu = groupby(session.devices(), key=lambda device: device.bdf)
    return {bdf: _listed(session, tuple(devices)) for bdf, devices in by_gpu}


def as_processes(names: Mapping[int, str], own: int) -> tuple[GpuProcess, ...]:
    """The processes by number, without our own: AMD SMI itself opens the devices."""
    return tuple(GpuProcess(pid, name) for pid, name in sorted(names.items()) if pid != own)


def _listed(session: Session, devices: tuple[Device, ...]) -> dict[int, str]:
    """The processes on any partition of a GPU. Some releases answer for the first partition only."""
    names: dict[int, str] = {}
    refused: NotSupported | None = None
    answered = False
    for device in devices:
        try:
            listed = session.call("amdsmi_get_gpu_process_list", device)
        except NotSupported as error:
            refused = error
            continue
        answered = True
        for entry in listed:
            pid = number(entry.get("pid"))
            if pid:
                names[pid] = text(entry.get("name")) or names.get(pid, "")
    if refused is not None and not answered:
        raise refused
    return names


def _partitions(
    session: Session, devices: tuple[Device, ...], metrics: Mapping[str, Any]
) -> dict[PartitionId, PartitionUse]:
    memory = [session.told("amdsmi_get_gpu_vram_usage", device) or {} for device in devices]
    own = len(devices) == 1 or _shares(session, devices[0], memory)
    busy = _busy(session, devices, metrics)
    found = {}
    for device, told in zip(devices, memory, strict=True):
        used = number(told.get("vram_used")) if own else None
        use = PartitionUse(None if used is None else used * _MIB, busy.get(device.partition))
        found[PartitionId(device.bdf, device.partition)] = use
    return found


def _shares(session: Session, first: Device, memory: list[dict[str, Any]]) -> bool:
    """Whether each partition tells of its own memory: some releases tell each the whole GPU's."""
    whole = number((session.told("amdsmi_get_gpu_vram_info", first) or {}).get("vram_size"))
    return whole is not None and sum(number(told.get("vram_total")) or 0 for told in memory) <= whole


def _busy(session: Session, devices: tuple[Device, ...], metrics: Mapping[str, Any]) -> dict[int, float]:
    """Busy shares by partition. Both calls answer for the whole GPU, on its first partition; only the metrics tell
    partitions apart."""
    shares = {
        index: sum(told) / len(told) / 100
        for index, dies in enumerate(metrics.get("xcp_stats.gfx_busy_inst") or ())
        if (told := [percent for die in dies if (percent := number(die)) is not None])
    }
    if len(devices) > 1:
        return shares
    activity = number((session.told("amdsmi_get_gpu_activity", devices[0]) or {}).get("gfx_activity"))
    return {devices[0].partition: activity / 100} if activity is not None else shares


def _temperatures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Whole degrees by sensor. 0 is a sensor that is not there: the firmware's table has a place for each."""
    return {sensor: float(degrees) for sensor, field in _SENSORS.items() if (degrees := number(metrics.get(field)))}


def _power(metrics: Mapping[str, Any]) -> float | None:
    """Whole watts. 0 is not told as well: a GPU that answers draws some."""
    return next((float(watts) for field in _POWER if (watts := number(metrics.get(field)))), None)

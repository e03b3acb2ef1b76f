"""What a pod asks of AMD's device plugin, counted as the scheduler counts it."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from api.quantity import parse_quantity
from controller.binding.device_plugin import RESOURCE_PREFIX, naming_of_resource
from controller.runtime.objects.pod import Container, PodSpec

_NONE: Final[Mapping[str, int]] = {}


def plugin_devices(spec: PodSpec) -> Mapping[str, int]:
    """How many devices the pod holds of each extended resource of AMD's, as the scheduler counts them."""
    if not _asks(spec):
        return _NONE
    running: Counter[str] = Counter()
    peak: Counter[str] = Counter()
    for container in spec.init_containers:
        asked = _devices(container)
        if container.restart_policy == "Always":
            running += asked
            peak |= running
        else:
            peak |= running + asked
    for container in spec.containers:
        running += _devices(container)
    return dict(running | peak)


def plugin_resource(devices: Mapping[str, int]) -> str:
    """The resource among `devices` by which a partition of a GPU is given; empty when there is none."""
    return next((name for name in devices if naming_of_resource(name) is not None), "")


def _asks(spec: PodSpec) -> bool:
    return any(
        name.startswith(RESOURCE_PREFIX)
        for container in (*spec.containers, *spec.init_containers)
        for name in container.resources.limits
    )


def _devices(container: Container) -> Counter[str]:
    limits = container.resources.limits
    asked = {name: parse_quantity(limits[name]) for name in limits if name.startswith(RESOURCE_PREFIX)}
    return Counter(asked)

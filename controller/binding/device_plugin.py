"""Binding by AMD's device plugin: extended resources, their names, and what they say about modes.

The plugin names its devices in one of two ways. `single`: every partition is `amd.com/gpu`, and a node whose GPUs are
in different modes is refused. `mixed`: a partition is named for its mode, `amd.com/cpx_nps4`. Which device of a name a
pod gets is the kubelet's choice.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from controller.gpu.mode import Mode, ModeError

RESOURCE_PREFIX: Final = "amd.com/"
SINGLE_NAME: Final = "amd.com/gpu"

#: Characters of a claim's name after its prefix.
SUFFIX_LENGTH: Final = 10
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class Naming(StrEnum):
    """How a node's device plugin names its devices."""

    SINGLE = "single"
    MIXED = "mixed"


def resource_name(mode: Mode, naming: Naming) -> str:
    """The extended resource that a partition of this mode is advertised by."""
    return SINGLE_NAME if naming is Naming.SINGLE else RESOURCE_PREFIX + mode.profile


def mode_of(resource: str) -> Mode | None:
    """The mode that a resource is named for; None for `amd.com/gpu`, and for names that are not the plugin's."""
    prefix, _, profile = resource.partition("/")
    if f"{prefix}/" != RESOURCE_PREFIX:
        return None
    try:
        return Mode.from_profile(profile)
    except ModeError:
        return None


def naming_of_resource(resource: str) -> Naming | None:
    """The naming that a resource belongs to; None for a name that is not the plugin's."""
    if resource == SINGLE_NAME:
        return Naming.SINGLE
    return None if mode_of(resource) is None else Naming.MIXED


def naming_of(devices: Mapping[str, int]) -> Naming | None:
    """How a node's devices are named, by its allocatable; None where a plugin never advertised any.

    Kubelets keep a resource with count 0 once its plugin has gone: such names count only while there are no others.
    """
    for names in ((name for name, count in devices.items() if count > 0), devices):
        found = {naming for naming in map(naming_of_resource, names) if naming is not None}
        if found:
            return Naming.MIXED if Naming.MIXED in found else Naming.SINGLE
    return None


def advertised(partitions: Iterable[Mode], naming: Naming) -> dict[str, int]:
    """What the plugin advertises for healthy partitions of these modes: a count by resource.

    With `single` naming it refuses a node of several modes, and then advertises nothing.
    """
    modes = list(partitions)
    if naming is Naming.SINGLE and len(set(modes)) > 1:
        return {}
    counts: dict[str, int] = {}
    for mode in modes:
        name = resource_name(mode, naming)
        counts[name] = counts.get(name, 0) + 1
    return counts


def claim_suffix(pod_uid: str) -> str:
    """The end of the name of a pod's claim: ten characters that follow from its uid.

    A pod with an extended resource names no ResourceClaim, and whatever else could carry a name its user may write.
    The uid is the API server's, is given once, and never changes.
    """
    number = int.from_bytes(hashlib.sha256(pod_uid.encode()).digest(), "big")
    letters = []
    for _ in range(SUFFIX_LENGTH):
        number, place = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)

"""Which extended resource a pod asks for, or a ResourceClaim: from what nodes advertise, are in, and may be changed to.

Pure. What is advertised now goes before what a policy may change to, and both before what nobody has a name for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from api.v1beta1 import GPUSharingPolicy
from api.v1beta1.gpu_partition_claim import Binding
from controller.binding.device_plugin import SINGLE_NAME, Naming, naming_of, resource_name
from controller.gpu.mode import Mode
from controller.placement.precision_support import obstacle_on
from controller.sizing.precision import Precision
from controller.webhooks.hardware import ManagedNode, reach


@dataclass(frozen=True, slots=True)
class Want:
    """What a pod needs: bytes in one partition, the modes it accepts, empty for any, and its model's precision."""

    bytes: int
    modes: frozenset[Mode]
    precision: Precision | None = None


class Standing(IntEnum):
    """How near partitions are to being handed out under the name that they have, the nearest first."""

    ADVERTISED = 0
    AWAY = 1
    """GPUs are in the mode, and the plugin, which has advertised, does not at the moment."""
    CHANGE = 2
    """No GPU is in the mode, and the policy may change that."""
    LEFT_OUT = 3
    """GPUs are in the mode, and the plugin advertises others: it has not looked again, or they are broken."""
    UNKNOWN = 4
    """GPUs are in the mode, and nobody knows the name: no plugin has ever advertised anything there."""
    UNKNOWN_CHANGE = 5


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A way to serve a pod, the better the smaller: what is advertised, in the smallest partition, by name.

    `product`: the GPU whose partition that is, of a node that has several the one with the largest.
    """

    standing: Standing
    bytes: int
    resource: str
    mode: Mode
    product: str

    def suits(self, want: Want) -> bool:
        """Whether the partition is large enough, in a mode that the pod accepts, and serves its precision."""
        accepted = not want.modes or self.mode in want.modes
        return self.bytes >= want.bytes and accepted and not obstacle_on(self.product, want.precision)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node under `policy` has for pods.

    `told`: whether its device plugin ever advertised anything. Otherwise `naming` is the one that it would have.
    """

    policy: GPUSharingPolicy | None
    binding: Binding
    naming: Naming
    told: bool
    ways: tuple[Way, ...]


def offer_of(node: ManagedNode, binding: Binding, devices: Mapping[str, int]) -> Offer:
    """The node's modes, and those that its policy lets its GPUs be put into without a person.

    `devices`: how many its device plugin advertises, by resource; 0 stays for a while once it has gone.
    """
    present = {gpu.mode for gpu in node.gpus if gpu.mode is not None}
    changeable = node.policy is not None and node.policy.spec.repartition.enabled
    found, told = naming_of(devices), bool(devices)
    # by default the plugin names as `single`, and then it refuses a node whose GPUs are in different modes
    naming = found or (Naming.SINGLE if len(present) <= 1 else Naming.MIXED)
    ways = []
    for text, reached in reach((node,)).items():
        if text in present or changeable:
            mode = Mode.parse(text)
            resource = resource_name(mode, naming)
            standing = _standing(resource, devices, present=text in present)
            ways.append(Way(standing, reached.bytes, resource, mode, reached.product))
    return Offer(node.policy, binding, naming, told, tuple(sorted(ways)))


def _standing(resource: str, devices: Mapping[str, int], *, present: bool) -> Standing:
    if not devices:
        return Standing.UNKNOWN if present else Standing.UNKNOWN_CHANGE
    if not present:
        return Standing.CHANGE
    if devices.get(resource, 0) > 0:
        return Standing.ADVERTISED
    return Standing.LEFT_OUT if any(count > 0 for count in devices.values()) else Standing.AWAY


def choose(offers: Iterable[Offer], want: Want) -> str | None:
    """The extended resource to ask for, "" for a ResourceClaim; None without offers.

    ResourceClaims go before where a node with them can serve the pod. When nothing fits placement will say why. A node
    that never advertised anything decides no name while there are others: it is taken to name as they do, and last.
    """
    told: list[Offer] = []
    guessed: list[Offer] = []
    by_claim = False
    for offer in offers:
        if offer.binding is Binding.DEVICE_PLUGIN:
            (told if offer.told else guessed).append(offer)
        elif any(way.suits(want) for way in offer.ways):
            return ""
        else:
            by_claim = True
    best = _best(told, want) or _renamed(_best(guessed, want), told)
    if best is not None:
        return best.resource
    if by_claim:
        return ""
    return _for_later(told or guessed, want) if told or guessed else None


def _best(offers: Iterable[Offer], want: Want) -> Way | None:
    return min((way for offer in offers for way in offer.ways if way.suits(want)), default=None)


def _renamed(way: Way | None, told: Sequence[Offer]) -> Way | None:
    """The way under the naming of nodes that advertise, where there are any."""
    if way is None or not told:
        return way
    return replace(way, resource=resource_name(way.mode, _naming(told)))


def _naming(offers: Iterable[Offer]) -> Naming:
    return Naming.MIXED if any(offer.naming is Naming.MIXED for offer in offers) else Naming.SINGLE


def _for_later(offers: Sequence[Offer], want: Want) -> str:
    """The resource of a pod that fits nowhere now: of the mode it asked for, else of the largest partitions."""
    if _naming(offers) is Naming.SINGLE:
        return SINGLE_NAME
    if want.modes:
        return resource_name(min(want.modes), Naming.MIXED)
    ways = [way for offer in offers if offer.naming is Naming.MIXED for way in offer.ways]
    # the largest of those nearest to being handed out: its claim then says that it is too small
    return min(ways, key=lambda way: (way.standing, -way.bytes, way.resource)).resource if ways else SINGLE_NAME

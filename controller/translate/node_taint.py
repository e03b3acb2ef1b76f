"""The taint that keeps other pods off a node whose modes change, and the JSON patches that write it and nothing else.

A Node's taints are one atomic list to server-side apply and to a merge patch: either would take over or lose those of
others. These patches add or remove one entry, and test that the Node is the version that they were made for.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from api.group import GROUP
from controller.runtime.manifest import Manifest
from controller.runtime.objects.node import Taint
from controller.runtime.objects.pod import Toleration

if TYPE_CHECKING:  # who only wants the taint's name does not wait for the models
    from api.v1beta1 import RepartitionPlan

TAINT_KEY: Final = f"{GROUP}/repartitioning"
"""Key of the taint; its value says which plan changes the node's modes."""

TAINT_EFFECT: Final = "NoSchedule"
"""What runs there goes on: the operator ends no pod that takes no part."""

_LONGEST_VALUE: Final = 63
_TAINTS: Final = "/spec/taints"
_TOLERATIONS: Final = "/spec/tolerations"

Operation = dict[str, Any]


def taint_value(plan: "RepartitionPlan") -> str:
    """The plan's name, or its uid where the name is longer than a taint's value may be."""
    name = plan.metadata.name
    return name if len(name) <= _LONGEST_VALUE else plan.metadata.uid or ""


def repartitioned_by(taints: Iterable[Taint]) -> str | None:
    """The value of our taint among them, None when it is not there."""
    return next((taint.value for taint in taints if is_ours(taint)), None)


def is_ours(taint: Taint) -> bool:
    """Whether the taint is one that the operator writes. A Node has no two of one key and effect."""
    return (taint.key, taint.effect) == (TAINT_KEY, TAINT_EFFECT)


def taint_patch(node: Manifest, value: str | None) -> list[Operation]:
    """What gives the Node, as it is stored, our taint with that value, or takes it off; empty: it is so already."""
    taints = node["spec"].get("taints") or []
    keys = [(taint["key"], taint["effect"]) for taint in taints]
    place = keys.index((TAINT_KEY, TAINT_EFFECT)) if (TAINT_KEY, TAINT_EFFECT) in keys else None
    if value == (None if place is None else taints[place].get("value", "")):
        return []
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": node["metadata"]["resourceVersion"]},
        _change(taints, place, value),
    ]


def _change(taints: Sequence[Manifest], place: int | None, value: str | None) -> Operation:
    if value is None:
        return {"op": "remove", "path": f"{_TAINTS}/{place}"}
    wanted = {"key": TAINT_KEY, "value": value, "effect": TAINT_EFFECT}
    if place is not None:
        return {"op": "replace", "path": f"{_TAINTS}/{place}", "value": wanted}
    return _appended(_TAINTS, taints, wanted)


def toleration_patch(present: Sequence[Toleration]) -> list[Operation]:
    """What makes a pod with these tolerations tolerate our taint, of any value; empty: it does."""
    if any(_tolerates(one) for one in present):
        return []
    wanted = {"key": TAINT_KEY, "operator": "Exists", "effect": TAINT_EFFECT}
    return [_appended(_TOLERATIONS, present, wanted)]


def _tolerates(one: Toleration) -> bool:
    return one.operator == "Exists" and one.key in ("", TAINT_KEY) and one.effect in ("", TAINT_EFFECT)


def _appended(path: str, present: Sequence[object], wanted: Manifest) -> Operation:
    """To a list that is not there nothing can be appended."""
    if not present:
        return {"op": "add", "path": path, "value": [wanted]}
    return {"op": "add", "path": f"{path}/-", "value": wanted}

"""Pieces of YAML on pages that are no whole objects: what they are pieces of."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from tests.docs.blocks import Block
from tests.integration.api.small_objects import SPECS

Object = dict[str, Any]

#: By page and heading: the kind of ours that it is a piece of, and where it stands there.
PIECES: Final[Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("docs/model-profiles.md", "What else a shape can say"): ("ModelProfile", ("spec", "architecture")),
    ("docs/qos.md", "Service level objectives"): ("InferenceService", ()),
    ("docs/qos.md", "Who may call"): ("GPUSharingPolicy", ()),
    ("docs/repartitioning.md", "Bringing scattered models together"): ("GPUSharingPolicy", ("spec",)),
    ("docs/scheduling.md", "Quotas"): ("GPUSharingPolicy", ("spec",)),
    ("docs/sharing.md", "A share group"): ("InferenceService", ()),
    ("docs/updating.md", "Larger partitions while they are wanted"): ("InferenceService", ()),
}
#: Pieces of what is not ours, and whose they are.
OTHERS: Final[Mapping[tuple[str, str], str]] = {
    ("docs/deploying.md", "Monitoring"): "the chart's values",
    ("docs/metrics.md", "Scrape them"): "Prometheus' configuration",
    ("docs/qos.md", "Who may call"): "a pod's volumes",
    ("docs/scheduling.md", "Gangs"): "a pod template's metadata",
}


def whole(block: Block, fragment: Object) -> Object | None:
    """The object that a piece is of, as small as may be besides; None for what is not ours."""
    key = (block.page, block.heading)
    others = OTHERS.get(key)
    if key not in PIECES or (others is not None and "spec" not in fragment):
        return None
    kind, place = PIECES[key]
    obj: Object = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": kind,
        "metadata": {"name": "piece"},
        "spec": deepcopy(SPECS[kind]),
    }
    at = obj
    for name in place:
        at = at[name]
    _merge(at, fragment)
    if groups := fragment.get("layerGroups"):  # the page's model has as many layers as its groups
        at["layers"] = sum(group["layers"] for group in groups)
    return obj


def _merge(into: Object, more: Object) -> None:
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value

"""What the operator writes on Nodes, and the patch that takes it off. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from controller.translate.node_labels import (
    COUNT_LABEL,
    METRICS_EXPORTER_LABEL,
    MODE_LABEL,
    PARTITIONS_LABEL,
    PRODUCT_LABEL,
    WRITTEN_ANNOTATION,
)
from controller.translate.node_taint import TAINT_KEY

_LABELS: Final = (PRODUCT_LABEL, MODE_LABEL, COUNT_LABEL, PARTITIONS_LABEL, METRICS_EXPORTER_LABEL)

Object = Mapping[str, Any]


def marks(node: Object) -> list[str]:
    """Keys of labels, annotations and taints on a Node that the operator wrote."""
    meta = node["metadata"]
    keys = _labels_of(meta)
    keys += [WRITTEN_ANNOTATION] if WRITTEN_ANNOTATION in meta.get("annotations", {}) else []
    return keys + [taint["key"] for taint in node["spec"].get("taints", ()) if taint["key"] == TAINT_KEY]


def _labels_of(meta: Object) -> list[str]:
    """Those of our own names, and those of others' names that the annotation says the operator wrote."""
    written = meta.get("annotations", {}).get(WRITTEN_ANNOTATION, "").split(",")
    return [key for key in dict.fromkeys((*_LABELS, *written)) if key in meta.get("labels", {})]


def without_marks(node: Object) -> dict[str, Any]:
    """The merge patch that takes them off, if nobody changed the Node since."""
    keys = marks(node)
    patch: dict[str, Any] = {
        "metadata": {
            "resourceVersion": node["metadata"]["resourceVersion"],
            "labels": dict.fromkeys(_labels_of(node["metadata"])),
            "annotations": {key: None for key in keys if key == WRITTEN_ANNOTATION},
        }
    }
    if TAINT_KEY in keys:
        patch["spec"] = {"taints": [one for one in node["spec"]["taints"] if one["key"] != TAINT_KEY]}
    return patch

"""What is to be written to a Node's labels, as the metadata of one merge patch."""

from api.v1beta1 import GPUNode
from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import ObjectMeta
from controller.translate.node_labels import (
    METRICS_EXPORTER_LABEL,
    PAUSED,
    WRITTEN_ANNOTATION,
    label_change,
    wanted_labels,
)


def labels_patch(node: ObjectMeta, gpu_node: GPUNode | None, *, changing: bool) -> Manifest | None:
    """The metadata to merge into the Node, for the machine that was seen only; None when all is as it should be.

    `gpu_node` None: the node is not managed, so whatever we wrote goes. `changing`: a plan is under way there. Without
    one nothing may keep AMD's metrics exporter away: whoever deletes a plan half way leaves the label behind.
    """
    wanted = wanted_labels(gpu_node) if gpu_node is not None else {}
    change = label_change(wanted, node.labels, node.annotations)
    left_paused = not changing and node.labels.get(METRICS_EXPORTER_LABEL) == PAUSED
    if change is None and not left_paused:
        return None
    patch: Manifest = {"uid": node.uid, "labels": dict(change.labels) if change is not None else {}}
    if left_paused:
        patch["labels"][METRICS_EXPORTER_LABEL] = None
    if change is not None:
        patch["annotations"] = {WRITTEN_ANNOTATION: change.written}
    return patch

"""Which flat field of an InferenceService stands for which place of the hub."""

from typing import Any, Final

from api.conversion.errors import ConversionError
from api.conversion.kind_mapping import KindMapping
from api.conversion.latency import latency_of, merged, objectives_of
from api.conversion.memory import gib_of, quantity_of
from api.conversion.nested import ABSENT
from api.conversion.row import known, row
from api.v1alpha1 import InferenceService as Spoke
from api.v1beta1 import InferenceService as Hub

CLASS_OF_LEVEL: Final = {"high": "realtime", "medium": "standard", "low": "batch"}
"""The hub's class behind each level."""

_LEVEL_OF_CLASS: Final = {name: level for level, name in CLASS_OF_LEVEL.items()}


def _class_of(level: Any) -> Any:
    name = known(CLASS_OF_LEVEL, level)
    if name is ABSENT:
        raise ConversionError(f"spec.qosLevel {level!r} is no level: use high, medium or low")
    return name


def _level_of(name: Any) -> Any:
    return known(_LEVEL_OF_CLASS, name)


def _class_without_level(name: Any) -> Any:
    return name if known(_LEVEL_OF_CLASS, name) is ABSENT else ABSENT


INFERENCE_SERVICE: Final = KindMapping(
    name="InferenceService",
    hub=Hub,
    spoke=Spoke,
    rows=(
        row("modelId", "model.id"),
        row("precision", "model.precision"),
        row("maxModelLen", "model.maxModelLen", unit="tokens"),
        row("maxConcurrency", "model.maxConcurrency", unit="sequences"),
        row("profile", "model.profileRef"),
        row("partition", "gpuSharing.partition.mode"),
        row("partitionCount", "gpuSharing.partition.count", unit="partitions"),
        row(
            "memoryGB",
            "gpuSharing.partition.minMemory",
            to_hub=quantity_of,
            to_spoke=gib_of,
            exact=False,
            unit="GiB",
            rounding="the text with the unit Gi; a hub text in another unit is shown rounded up to 9 digits after the "
            "point, and kept exactly while memoryGB is not edited",
        ),
        row("isolation", "gpuSharing.isolation"),
        row("shareGroup", "gpuSharing.shareGroup"),
        row("policy", "gpuSharing.policyRef"),
        row(
            "qosLevel",
            "qos.class",
            to_hub=_class_of,
            to_spoke=_level_of,
            rounding="high is realtime, medium is standard, low is batch",
        ),
        row("qosClass", "qos.class", to_spoke=_class_without_level, rounding="none; any class that has no level"),
        row("minRequests", "qos.guarantees.minConcurrency", unit="requests in flight"),
        row("maxRequests", "qos.guarantees.maxConcurrency", unit="requests in flight"),
        row("maxRate", "qos.guarantees.maxRate", unit="requests a second"),
        row(
            "sloLatencyMs",
            "qos.slo",
            to_hub=objectives_of,
            to_spoke=latency_of,
            exact=False,
            merge=merged,
            unit="ms",
            rounding="none; shows the first entry with metric requestLatency, percentile p99, objective 99 and a "
            "threshold of whole milliseconds; other entries are kept",
        ),
        row("queueLength", "qos.queue.maxLength", unit="requests"),
        row("queueTimeout", "qos.queue.timeout", unit="as written, e.g. 60s"),
        row("minInstances", "replicas", unit="pods"),
        row("maxInstances", "maxReplicas", unit="pods"),
        row("predictor", "predictor"),
    ),
)
"""InferenceService, v1alpha1 and v1beta1."""

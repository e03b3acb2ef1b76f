"""The rules of an InferenceService."""

import json
import re
from collections.abc import Iterator
from typing import Final

from api.duration import parse_duration
from api.quantity import capped_quantity
from api.v1beta1.gpu_partition_claim import Isolation
from api.v1beta1.inference_service import (
    LARGEST_MIN_MEMORY,
    LONGEST_SERVICE_NAME,
    SERVICE_NAME_PATTERN,
    Guarantees,
    InferenceService,
    InferenceServiceSpec,
    QoS,
)
from api.v1beta1.service_level import ServiceLevelObjective
from api.validation.field_error import INVALID, FieldError

_NAME: Final = re.compile(SERVICE_NAME_PATTERN.strip("^$"))


def service_problems(service: InferenceService) -> list[FieldError]:
    """Every rule that the service breaks."""
    spec = service.spec
    return [*_name(service.metadata.name), *_partition(spec), *_group(spec), *_qos(spec.qos), *_replicas(spec)]


def _name(name: str) -> Iterator[FieldError]:
    if _NAME.fullmatch(name) is None or len(name) > LONGEST_SERVICE_NAME:
        yield FieldError(
            "metadata.name",
            INVALID,
            f'"{name}" becomes the name of a Service: use at most {LONGEST_SERVICE_NAME} lower-case letters, digits '
            "and dashes, beginning with a letter",
        )


def _replicas(spec: InferenceServiceSpec) -> Iterator[FieldError]:
    if spec.max_replicas is not None and spec.replicas > spec.max_replicas:
        yield FieldError(
            "spec.replicas",
            INVALID,
            f"replicas {spec.replicas} is larger than maxReplicas {spec.max_replicas}: lower replicas or raise "
            "maxReplicas",
        )


def _partition(spec: InferenceServiceSpec) -> Iterator[FieldError]:
    text = spec.gpu_sharing.partition.min_memory
    path = "spec.gpuSharing.partition.minMemory"
    if text is None:
        return
    if capped_quantity(text) == 0:
        yield FieldError(path, INVALID, f'"{text}" is no memory: write more than 0, such as 24Gi, or leave it out')
    elif capped_quantity(text) > capped_quantity(LARGEST_MIN_MEMORY):
        yield FieldError(
            path, INVALID, f'"{text}" is more than any GPU has: write at most {LARGEST_MIN_MEMORY}, such as 24Gi'
        )


def _group(spec: InferenceServiceSpec) -> Iterator[FieldError]:
    sharing = spec.gpu_sharing
    cooperative = sharing.isolation is Isolation.COOPERATIVE
    if cooperative and sharing.share_group is None:
        yield FieldError(
            "spec.gpuSharing.isolation",
            INVALID,
            "isolation cooperative needs a shareGroup: name the group, or use isolation hardware",
        )
    if sharing.share_group is not None and not cooperative:
        yield FieldError(
            "spec.gpuSharing.shareGroup",
            INVALID,
            f"shareGroup {sharing.share_group} shares one partition: set isolation cooperative, or leave shareGroup "
            "out",
        )


def _qos(qos: QoS) -> Iterator[FieldError]:
    if qos.guarantees is not None:
        yield from _guarantees(qos.guarantees)
    for position, objective in enumerate(qos.slo):
        yield from _objective(objective, f"spec.qos.slo[{position}]")
    targets = [(objective.metric, objective.percentile, objective.threshold) for objective in qos.slo]
    same = [
        threshold for metric, percentile, threshold in targets if targets.count((metric, percentile, threshold)) > 1
    ]
    if same:
        yield FieldError(
            "spec.qos.slo",
            INVALID,
            f"several objectives have the same metric, percentile and threshold {json.dumps(same)}: keep the one "
            "whose objective is meant",
        )
    if qos.queue is not None and parse_duration(qos.queue.timeout) == 0:
        yield FieldError(
            "spec.qos.queue.timeout",
            INVALID,
            f'"{qos.queue.timeout}" lets no request wait: write more than 0, such as 30s; to refuse at once set '
            "maxLength 0",
        )


def _guarantees(guarantees: Guarantees) -> Iterator[FieldError]:
    least, most = guarantees.min_concurrency, guarantees.max_concurrency
    if least is not None and most is not None and least > most:
        yield FieldError(
            "spec.qos.guarantees.minConcurrency",
            INVALID,
            f"minConcurrency {least} is larger than maxConcurrency {most}: lower the one or raise the other",
        )


def _objective(objective: ServiceLevelObjective, path: str) -> Iterator[FieldError]:
    if parse_duration(objective.threshold) == 0:
        yield FieldError(
            f"{path}.threshold",
            INVALID,
            f'"{objective.threshold}" can never be kept: write more than 0, such as 500ms',
        )
    if float(objective.objective) == 0:
        yield FieldError(
            f"{path}.objective",
            INVALID,
            f'"{objective.objective}" asks for nothing: write the percent of the time that the threshold is kept, '
            "such as 99.5",
        )

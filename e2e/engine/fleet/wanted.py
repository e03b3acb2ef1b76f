"""Which pods have an engine, and with which settings it would start there. Pure.

Settings are what a container reads: the annotations that the operator wrote as it opened the gate. Speed follows from
the partition's compute units and the model's facts, memory from sizing's own figures (`e2e.engine.memory`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from controller.binding.shares import parse_units
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import Sizing, SizingRequest
from controller.state.models import Models
from e2e.engine.memory import Memory
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import roofline
from e2e.run.world import MODEL_ID, Object, by_key, claim_key, lives, opted_in, places, ready, status_of

ENGINE_ARGS: Final = "aim.amd.com/engine-args"
PRECISION: Final = "aim.amd.com/precision"
PROFILE: Final = "aim.amd.com/model-profile"
DEFAULT_UTILIZATION: Final = 0.9
"""vLLM's own, where nothing is said."""


class NoEngine(ValueError):
    """Why a pod that has its partition can have no simulated engine; the text names the pod."""


@dataclass(frozen=True, slots=True)
class Place:
    """The first of a pod's partitions, and what of it is the pod's: all, or a share. Bytes, and compute units."""

    partition: str
    bytes: int
    partition_units: int
    units: int


def wanted(
    pods: Iterable[Object], claims: Iterable[Object], nodes: Iterable[Object], models: Models, time_scale: float
) -> Iterator[EngineSettings | NoEngine]:
    """The engine of every pod that is Ready and holds a partition, by the pods' order."""
    claims_by_key = by_key(claims)
    nodes_by_name = {str(node["metadata"]["name"]): node for node in nodes}
    for pod in pods:
        claim = claims_by_key.get(claim_key(pod) or "")
        if claim is None or not (opted_in(pod) and lives(pod) and ready(pod)):
            continue
        held = places(claim)
        if not held:
            continue
        try:
            place = place_of(pod, claim, nodes_by_name.get(held[0][0], {}))
            yield settings_of(pod, place, models, time_scale)
        except (KeyError, NoEngine, SizingError, ValueError) as error:
            yield NoEngine(f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}: {error}")


def place_of(pod: Object, claim: Object, node: Object) -> Place:
    """Where the pod's engine runs. Raises NoEngine where its node does not report the partition, or it has no share."""
    name, bdf, number = places(claim)[0]
    partition = next(
        (
            found
            for gpu in status_of(node).get("gpus") or ()
            if gpu["bdf"] == bdf
            for found in gpu.get("partitions") or ()
            if found["id"] == number
        ),
        None,
    )
    if partition is None:
        raise NoEngine(f"GPUNode {name} does not report {bdf}/{number}")
    whole = int(partition.get("computeUnits", 0)) or 1
    size, units = int(partition["bytes"]), whole
    if claim["spec"].get("shareGroup"):
        size, units = _share(pod, status_of(claim).get("shares") or (), whole)
    return Place(f"{name}/{bdf}/{number}", size, whole, units)


def _share(pod: Object, shares: Iterable[Object], whole: int) -> tuple[int, int]:
    uid = pod["metadata"]["uid"]
    share = next((share for share in shares if share["pod"]["uid"] == uid), None)
    if share is None:
        raise NoEngine("its share group's claim has no share of it")
    ranges = parse_units(share.get("computeUnits") or "")
    return int(share["bytes"]), sum(last - first + 1 for first, last in ranges) or whole


def settings_of(pod: Object, place: Place, models: Models, time_scale: float) -> EngineSettings:
    """The engine of a pod in its place. Raises SizingError for a model that cannot be sized, ValueError, KeyError."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    arguments = json.loads(annotations.get(ENGINE_ARGS) or "{}")
    ranks = int(arguments.get("tensor-parallel-size", 1))
    request = SizingRequest(
        annotations[MODEL_ID],
        Precision(annotations.get(PRECISION) or "auto"),
        max_model_len=arguments.get("max-model-len"),
        max_concurrency=arguments.get("max-num-seqs"),
        tensor_parallel=ranks,
    )
    profile = annotations.get(PROFILE)
    sizing = models.size(request, profile)
    facts = models.sizes(request.model_id, profile).facts(request.model_id)
    read_bytes = sizing.weights_bytes * facts.active_params // facts.total_params
    return EngineSettings(
        model=request.model_id,
        names=names_of(arguments, request.model_id),
        seats=sizing.max_concurrency,
        max_model_len=sizing.max_model_len,
        by_priority=takes_priority(pod, arguments),
        engine=str(metadata["uid"]),
        partition=place.partition,
        speed=roofline(
            read_bytes, facts.active_params // ranks, place.units, place.partition_units, time_scale=time_scale
        ),
        memory=memory_of(sizing, place, arguments),
    )


def names_of(arguments: Mapping[str, Any], model: str) -> tuple[str, ...]:
    """By what vLLM lets requests call the model: served-model-name where that is given, and then nothing else."""
    given = arguments.get("served-model-name")
    return (model,) if not given else (given,) if isinstance(given, str) else tuple(given)


def takes_priority(pod: Object, arguments: Mapping[str, Any]) -> bool:
    """Whether the engine was started to schedule by priority: by the container's own arguments, or by ours."""
    said = [
        word
        for container in pod.get("spec", {}).get("containers") or ()
        for given in (*(container.get("command") or ()), *(container.get("args") or ()))
        for word in str(given).replace("=", " ").split()
    ]
    return arguments.get("scheduling-policy") == "priority" or ("--scheduling-policy", "priority") in pairwise(said)


def memory_of(sizing: Sizing, place: Place, arguments: Mapping[str, Any]) -> Memory:
    """What the engine would take of one partition: its pool is what was pinned, else what its utilization leaves."""
    fixed = sizing.weights_bytes + sizing.activation_bytes + sizing.non_torch_bytes + sizing.graph_bytes
    pinned = arguments.get("kv-cache-memory-bytes")
    utilization = float(arguments.get("gpu-memory-utilization", DEFAULT_UTILIZATION))
    left = int(utilization * place.bytes) - fixed
    pool = max(0, left if pinned is None else int(pinned))
    return Memory(fixed, pool, sizing.kv_bytes_per_token, utilization, pinned is not None)

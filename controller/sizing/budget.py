"""What a start of the engine on one device would find: how much of it each part takes and what the KV cache gets.

The other direction of sizing: there a request asks how many bytes it needs, here a command line meets a device. The
rule is vLLM's own, see ``engine.py``.
"""

from dataclasses import dataclass

from controller.sizing.activation import Activation, activation
from controller.sizing.engine import (
    DEFAULT_UTILIZATION,
    EngineSettings,
    graph_bytes,
    graphs_within_budget,
    non_torch_bytes,
)
from controller.sizing.engine_constants import CONSTANTS, EngineConstants
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import Precision
from controller.sizing.weights import weights_bytes


@dataclass(frozen=True, slots=True)
class Start:
    """A command line on a device. ``settings`` are resolved (``as_vllm_starts_it``), the precision is not ``auto``.

    ``engine_known``: False when neither version nor generation of the engine was told, and the newest is but assumed.
    ``gfx_version`` is the kernel's number of an AMD device's instruction set, None of another or where not known.
    """

    facts: ModelFacts
    precision: Precision
    settings: EngineSettings
    device_bytes: int
    max_model_len: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    engine_known: bool = True
    gfx_version: int | None = None

    @property
    def element_bytes(self) -> int:
        """Bytes of an element of what is computed in."""
        return 4 if self.precision is Precision.FP32 else 2

    @property
    def utilization(self) -> float:
        """The share of the device that the engine asks for."""
        asked = self.settings.gpu_memory_utilization
        return DEFAULT_UTILIZATION if asked is None else asked


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes of one rank: the one of the last pipeline stage, which samples and so has the least left.

    ``graph_bytes`` lie within ``requested_bytes`` or beside it. ``kv_cache_bytes`` is negative when nothing is left.
    """

    device_bytes: int
    requested_bytes: int
    weights_bytes: int
    activation: Activation
    non_torch_bytes: int
    graph_bytes: int
    graphs_within: bool

    @property
    def kv_cache_bytes(self) -> int:
        """What the KV cache gets."""
        taken = self.weights_bytes + self.activation.peak_bytes + self.non_torch_bytes
        return self.requested_bytes - taken - (self.graph_bytes if self.graphs_within else 0)

    @property
    def beside_bytes(self) -> int:
        """What the device has beside the engine's budget."""
        return self.device_bytes - self.requested_bytes


def budget(start: Start, constants: EngineConstants = CONSTANTS) -> Budget:
    """How the engine would divide the device."""
    return Budget(
        device_bytes=start.device_bytes,
        requested_bytes=int(start.device_bytes * start.utilization),
        weights_bytes=stage_weights_bytes(start),
        activation=activation(
            start.facts, start.settings, start.tensor_parallel, start.element_bytes, constants=constants
        ),
        non_torch_bytes=non_torch_bytes(start.settings, start.tensor_parallel, constants),
        graph_bytes=graph_bytes(start.settings, start.facts, constants),
        graphs_within=graphs_within_budget(start.settings),
    )


def stage_weights_bytes(start: Start) -> int:
    """Weights of a rank of the last pipeline stage: its share of the layers, and the head.

    A tied head is a copy of the embedding there; an untied one leaves the embedding to the first stage.
    """
    whole = weights_bytes(start.facts, start.precision, start.tensor_parallel, start.settings.platform)
    if start.pipeline_parallel == 1:
        return whole
    counts = start.facts.parameters
    rank = start.element_bytes / start.tensor_parallel
    ends = int((counts.embedding + counts.head) * rank)
    head = int((counts.head or counts.embedding) * rank)
    return (whole - ends) // start.pipeline_parallel + head

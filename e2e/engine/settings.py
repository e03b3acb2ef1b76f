"""What one simulated engine is, as an engine's arguments and its partition would have it."""

from dataclasses import dataclass

from e2e.engine.memory import UNKNOWN, Memory
from e2e.engine.speed import INSTANT, Speed


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`model` is what the engine loaded, `names` by what else requests may call it (vLLM's served-model-name).

    `seats`: sequences served at once (max-num-seqs); more wait inside. `by_priority`: started with scheduling policy
    priority; without it a request that has one is refused, as vLLM does. `engine` and `partition` are what the record
    names: a pod's uid, and `node/bdf/function`. `default_output_tokens`: the length of an answer that names none.
    """

    model: str
    seats: int = 8
    names: tuple[str, ...] = ()
    max_model_len: int = 8192
    by_priority: bool = False
    engine: str = "engine"
    partition: str = "partition"
    speed: Speed = INSTANT
    memory: Memory = UNKNOWN
    default_output_tokens: int = 64

    @property
    def answers_to(self) -> tuple[str, ...]:
        """The names by which a request may ask for the model; the first is what `/v1/models` gives."""
        return self.names or (self.model,)

"""The metrics of an engine, by the names and labels of vLLM: what reads a real engine reads a simulated one."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from e2e.engine.memory import BLOCK_TOKENS
from e2e.engine.settings import EngineSettings

_SECONDS: Final = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    60.0,
)


class Metrics:
    """The instruments of one engine, in a registry of its own."""

    def __init__(self, settings: EngineSettings) -> None:
        self._registry = CollectorRegistry()
        self._name = settings.answers_to[0]
        self.running = self._gauge("vllm:num_requests_running", "Requests in the batch.")
        self.waiting = self._gauge("vllm:num_requests_waiting", "Requests that wait for a seat in the batch.")
        self.filled = self._gauge("vllm:kv_cache_usage_perc", "KV cache in use; 1 is all of it.")
        self.prompt_tokens = self._counter("vllm:prompt_tokens", "Tokens of prompts that were read.")
        self.made_tokens = self._counter("vllm:generation_tokens", "Tokens that were made.")
        self.first_token = self._histogram("vllm:time_to_first_token_seconds", "Until the first token.")
        self.whole = self._histogram("vllm:e2e_request_latency_seconds", "Until the last token.")
        self.waited = self._histogram("vllm:request_queue_time_seconds", "Until there was a seat in the batch.")
        self.each_token = self._histogram(
            "vllm:request_time_per_output_token_seconds", "For each token after the first, an answer's mean."
        )
        ended = Counter(
            "vllm:request_success",
            "Answers by how they ended.",
            ("model_name", "finished_reason"),
            registry=self._registry,
        )
        self.finished = {reason: ended.labels(self._name, reason) for reason in ("stop", "length", "abort", "error")}
        memory = settings.memory
        facts = {
            "block_size": BLOCK_TOKENS,
            "cache_dtype": "auto",
            "gpu_memory_utilization": memory.utilization,
            "kv_cache_memory_bytes": memory.pool if memory.pinned else None,
            "num_gpu_blocks": memory.blocks,
        }
        labels = {name: str(value) for name, value in facts.items()}
        told = Gauge("vllm:cache_config_info", "How the KV cache is divided.", tuple(labels), registry=self._registry)
        told.labels(**labels).set(1)

    def text(self) -> bytes:
        """As Prometheus reads them."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(name, about, ("model_name",), registry=self._registry).labels(self._name)

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(name, about, ("model_name",), registry=self._registry).labels(self._name)

    def _histogram(self, name: str, about: str) -> Histogram:
        return Histogram(name, about, ("model_name",), buckets=_SECONDS, registry=self._registry).labels(self._name)

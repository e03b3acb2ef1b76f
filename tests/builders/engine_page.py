"""Pages of metrics as engines show them."""

from collections.abc import Mapping

LATENCY_EDGES = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0)
"""vLLM's for whole requests; beyond the last it has 960, 1,920 and 7,680 s."""


def histogram(name: str, seconds: list[float], edges: tuple[float, ...] = LATENCY_EDGES, labels: str = "") -> str:
    """A histogram of these observations."""
    comma = f"{labels}," if labels else ""
    lines = [f'{name}_bucket{{{comma}le="{edge}"}} {sum(one <= edge for one in seconds)}.0' for edge in edges]
    lines.append(f'{name}_bucket{{{comma}le="+Inf"}} {len(seconds)}.0')
    lines += [f"{name}_sum{{{labels}}} {sum(seconds)}", f"{name}_count{{{labels}}} {len(seconds)}.0"]
    return "\n".join(lines)


def vllm_page(
    *,
    finished: Mapping[str, int] | None = None,
    seconds: list[float] | None = None,
    prompt: int = 0,
    made: int = 0,
    waiting: int = 0,
    filled: float = 0.0,
    started: float | None = None,
) -> str:
    """vLLM's page, of the families that are read and some of those that are not."""
    engine = 'model_name="a/b",engine="0"'
    counted = {"stop": 0, "length": 0, "abort": 0, "error": 0} | dict(finished or {})
    lines = [
        "# HELP vllm:num_requests_running Number of requests in model execution batches.",
        "# TYPE vllm:num_requests_running gauge",
        f"vllm:num_requests_running{{{engine}}} 1.0",
        f"vllm:num_requests_waiting{{{engine}}} {waiting}.0",
        f"vllm:kv_cache_usage_perc{{{engine}}} {filled}",
        f"vllm:prompt_tokens_total{{{engine}}} {prompt}.0",
        f"vllm:prompt_tokens_created{{{engine}}} 1.7e+09",
        f"vllm:generation_tokens_total{{{engine}}} {made}.0",
        *(
            f'vllm:request_success_total{{{engine},finished_reason="{reason}"}} {count}.0'
            for reason, count in counted.items()
        ),
        histogram("vllm:e2e_request_latency_seconds", seconds or [], labels=engine),
        *([f"process_start_time_seconds {started}"] if started is not None else ()),
    ]
    return "\n".join(lines) + "\n"

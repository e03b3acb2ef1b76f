"""What engines call the things that a service is measured by: vLLM's names, and SGLang's where they differ. Pure.

Of several names for one thing the first that a page has counts: engines keep an old name beside its successor for some
versions. vLLM's are those of `vllm/v1/metrics/loggers.py` from 0.7 on, SGLang's of `sglang/srt/metrics/collector.py`.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Measure(StrEnum):
    """A histogram of a service's requests, in seconds."""

    LATENCY = "latency"
    TO_FIRST = "to the first token"
    BETWEEN = "between two tokens"
    QUEUE_WAIT = "queue wait"


HISTOGRAMS: Final[Mapping[Measure, tuple[str, ...]]] = {
    Measure.LATENCY: ("vllm:e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds"),
    Measure.TO_FIRST: ("vllm:time_to_first_token_seconds", "sglang:time_to_first_token_seconds"),
    Measure.BETWEEN: (
        "vllm:request_time_per_output_token_seconds",  # a request's mean; the others are of each token
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
        "sglang:inter_token_latency_seconds",
        "sglang:time_per_output_token_seconds",
    ),
    Measure.QUEUE_WAIT: ("vllm:request_queue_time_seconds", "sglang:queue_time_seconds"),
}

INPUT, OUTPUT = "input", "output"
TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    INPUT: ("vllm:prompt_tokens_total", "sglang:prompt_tokens_total"),
    OUTPUT: ("vllm:generation_tokens_total", "sglang:generation_tokens_total"),
}

WAITING: Final = ("vllm:num_requests_waiting", "sglang:num_queue_reqs")
FILLED: Final = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage")
"""The filled share of the KV cache, 0 to 1."""

STARTED: Final = "process_start_time_seconds"
"""When the process began, in seconds since 1970: another figure, and all counters have begun anew."""

SERVED, GONE = "200", "499"
"""Statuses as the gateway counts them: an answer was made, and the client went away before."""

_VLLM_FINISHED: Final = "vllm:request_success_total"
_SGLANG_FINISHED: Final = "sglang:num_requests_total"
_SGLANG_ABORTED: Final = "sglang:num_aborted_requests_total"
_HTTP: Final = "http_requests_total"
"""vLLM's HTTP server, by handler and class of status: what failed or was refused before it was any engine's request."""

FINISHED: Final = (_VLLM_FINISHED, _SGLANG_FINISHED, _SGLANG_ABORTED, _HTTP)

_FAILED: Final = re.compile(r"[45](?:xx|[0-9]{2})")


def status_of(name: str, labels: Mapping[str, str]) -> str | None:
    """The status under which the requests of a sample of `FINISHED` count; None where others count them.

    What vLLM finishes with `error` its HTTP server answers with 5xx, and what it answers with 2xx vLLM finishes: each
    request counts once.
    """
    if name == _VLLM_FINISHED:
        reason = labels.get("finished_reason", "")
        return {"abort": GONE, "error": None}.get(reason, SERVED)
    if name == _HTTP:
        status = labels.get("status", "")
        asks = labels.get("method") == "POST" and labels.get("handler", "").startswith("/v1/")
        return status if asks and _FAILED.fullmatch(status) else None
    return {_SGLANG_FINISHED: SERVED, _SGLANG_ABORTED: GONE}.get(name)

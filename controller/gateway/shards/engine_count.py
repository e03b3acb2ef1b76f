"""How many requests an engine has, by what it says of itself in Prometheus' text format. Pure."""

import re
from typing import Final

_SERIES: Final = re.compile(
    r"^vllm:num_requests_(running|waiting)(?:\{[^}\n]*\})? +([0-9.eE+-]+|NaN|[+-]Inf)(?: +-?\d+)?$", re.MULTILINE
)


def requests_at(metrics: str) -> int | None:
    """Requests that it runs and has waiting, over all its series; None: it does not say both."""
    counts: dict[str, float] = {}
    for kind, value in _SERIES.findall(metrics):
        try:
            counts[kind] = counts.get(kind, 0.0) + float(value)
        except ValueError:
            return None
    total = counts.get("running", float("nan")) + counts.get("waiting", float("nan"))
    return int(total) if 0 <= total < float("inf") else None

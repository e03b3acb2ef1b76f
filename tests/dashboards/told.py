"""A cluster that never was: what each process would tell, with every declared metric, figures that move, some trouble.

Whether panels get answers from a real Prometheus is seen with it; whether processes tell all this is seen elsewhere.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate, product

from api.seconds import format_duration
from controller.entrypoints.run_operator import LEASE
from controller.qos.error_budget import WINDOWS
from controller.qos.refusal import QUEUE_FULL
from controller.reconcilers.scheduler_counts import OPERATIONS, Eviction, Timed
from controller.repartition.phases import Phase
from controller.runtime.instrument import Instrument, Kind
from controller.telemetry.instruments import (
    AGENT,
    EXPORTER,
    GATEWAY,
    MODEL_REQUESTS,
    OPERATOR,
    PLANS,
    SCHEDULER_PENDING,
    UI,
)
from tests.dashboards.inference import DECLARED

PROCESSES = (OPERATOR, AGENT, GATEWAY, EXPORTER, UI)
GIB = 2**30

#: Labels that go together, and their values.
TOGETHER: Sequence[tuple[tuple[str, ...], Sequence[tuple[str, ...]]]] = [
    (
        ("node", "gpu", "partition", "mode", "claim", "pod", "namespace", "service", "model"),
        [
            ("node-a", "0000:05:00.0", "0", "CPX/NPS4", "chat-0", "chat-0", "team-a", "chat", "Qwen/Qwen3-8B"),
            ("node-a", "0000:05:00.0", "1", "CPX/NPS4", "code-0", "code-0", "team-b", "code", "Qwen/Qwen3-14B"),
            ("node-a", "0000:05:00.0", "2", "CPX/NPS4", "", "", "", "", ""),
            ("node-b", "0000:26:00.0", "0", "SPX/NPS1", "large-0", "large-0", "team-b", "large", "Qwen/Qwen3-32B"),
        ],
    ),
    (("node", "gpu", "product", "mode"), [("node-a", "0000:05:00.0", "MI300X", "CPX/NPS4")]),
    (("node", "gpu", "partition"), [("node-a", "0000:05:00.0", "0"), ("node-b", "0000:26:00.0", "0")]),
    (("node", "gpu"), [("node-a", "0000:05:00.0"), ("node-b", "0000:26:00.0")]),
    (("node", "namespace", "service", "model"), [("node-a", "team-a", "chat", "Qwen/Qwen3-8B")]),
    (("namespace", "service", "model"), [("team-a", "chat", "Qwen/Qwen3-8B"), ("team-b", "large", "Qwen/Qwen3-32B")]),
    (("metric", "percentile", "threshold"), [("latency", "p99", "500ms"), ("ttft", "p95", "200ms")]),
    (("profile", "model"), [("qwen3-8b", "Qwen/Qwen3-8B"), ("qwen3-32b", "Qwen/Qwen3-32B")]),
    (("operation", "result"), [(operation, result) for operation, all_ in OPERATIONS.items() for result in all_]),
    (("code", "reason"), [("200", ""), ("429", QUEUE_FULL), ("502", "EngineFailed")]),
    (
        ("node", "backend", "simulated", "driver"),
        [("node-a", "amdsmi", "false", "6.14"), ("node-b", "sysfs", "false", "6.14")],
    ),
]
#: Values of labels by themselves. Nothing fails, so that a panel of what was served is seen to be one.
ALONE = {
    "bound": ("least", "most"),
    "certificate": ("webhook",),
    "code": ("200", "500"),
    "condition": ("Ready", "Allocated", "SLOMet"),
    "controller": ("claims", "plans"),
    "direction": ("input", "output"),
    "holder": ("free", "ours", "foreign"),
    "isolation": ("compute", "cooperative"),
    "mode": ("CPX/NPS4", "SPX/NPS1"),
    "name": (LEASE, "claims"),
    "namespace": ("team-a",),
    "node": ("node-a", "node-b"),
    "operation": tuple(one.value for one in Timed),
    "outcome": ("success",),
    "phase": tuple(one.value for one in Phase),
    "place": ("inside", "free"),
    "priority": ("realtime", "standard"),
    "product": ("MI300X",),
    "reason": tuple(one.value for one in Eviction),
    "result": ("success", "Failed"),
    "sensor": ("hotspot", "memory"),
    "severity": ("correctable", "uncorrectable"),
    "stage": ("bound", "allocated"),
    "state": ("in_flight", "minimum", "lent", "wanted", "ready", "total", "held"),
    "type": ("total", "allocated", "used"),
    "window": tuple(format_duration(seconds) for seconds in WINDOWS),
}


def page(process: str, seconds: float, version: str = "0.1.0") -> str:
    """What a process tells `seconds` after its start, in Prometheus' text."""
    lines: list[str] = []
    for one in DECLARED:
        if process in (one.processes or (OPERATOR,)):
            lines.append(f"# TYPE {one.exported_name} {one.kind}")
            for labels in _rows(one, process, version):
                lines.extend(_samples(one, labels, seconds))
    return "\n".join([*lines, ""])


def _rows(instrument: Instrument, process: str, version: str) -> Iterator[dict[str, str]]:
    """Every set of values that the instrument's labels have."""
    left = list(instrument.labels)
    groups: list[list[dict[str, str]]] = []
    for names, values in TOGETHER:
        if set(names) <= set(left):
            groups.append([dict(zip(names, one, strict=True)) for one in values])
            left = [name for name in left if name not in names]
    known = ALONE | {"process": (process,), "version": (version,)}
    known |= {"priority": ("",)} if process == EXPORTER else {}
    groups += [[{name: value} for value in known.get(name, (f"some-{name}",))] for name in left]
    for parts in product(*groups):
        yield {name: value for part in parts for name, value in part.items()}


def _samples(instrument: Instrument, labels: dict[str, str], seconds: float) -> Iterable[str]:
    name, part = instrument.exported_name, _part(labels, instrument.name)
    if instrument.kind is Kind.COUNTER:
        fast = 5.0 if instrument is MODEL_REQUESTS and labels["code"] == "200" else 0.2
        return [_line(name, labels, seconds * fast * (1 + part))]
    if instrument.kind is Kind.GAUGE:
        return [_line(name, labels, _now(instrument, labels, part, seconds))]
    each = [seconds * math.exp(-((index - 5 - 3 * part) ** 2) / 4) for index in range(len(instrument.buckets) + 1)]
    upto = list(accumulate(each))
    edges = [*(f"{bound:g}" for bound in instrument.buckets), "+Inf"]
    buckets = [_line(f"{name}_bucket", labels | {"le": edge}, count) for edge, count in zip(edges, upto, strict=True)]
    return [*buckets, _line(f"{name}_sum", labels, upto[-1]), _line(f"{name}_count", labels, upto[-1])]


def _now(instrument: Instrument, labels: dict[str, str], part: float, seconds: float) -> float:
    moved = 0.5 + 0.4 * math.sin(part * 6 + seconds / 7)
    name = instrument.name
    if name.endswith(("_info", "master_status")):
        return 1
    if "timestamp" in name:
        return 4e9
    if name.endswith(("_up", "_healthy", "_readable", "_condition")):
        return float(labels.get("condition") == "SLOMet" or not {"node-b", "team-b"} & set(labels.values()))
    if instrument in (PLANS, SCHEDULER_PENDING):
        return 1 + int(seconds) // 4 % 2
    if labels.get("type") == "total":
        return 24 * GIB
    if instrument.unit in ("By", "Cel", "W"):
        return {"By": 20 * GIB, "Cel": 80, "W": 700}[instrument.unit] * (0.8 + moved / 4)
    if name.endswith(("_ratio", "_utilization", "_usage", "_remaining")):
        return moved
    return round(10 * moved) + 1


def _part(labels: dict[str, str], name: str) -> float:
    """A number from 0 to 1 that differs from series to series."""
    told = repr((name, sorted(labels.items()))).encode()
    return int.from_bytes(blake2b(told, digest_size=2).digest(), "big") / 65_535


def _line(name: str, labels: dict[str, str], value: float) -> str:
    told = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value:g}"

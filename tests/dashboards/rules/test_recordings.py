"""What recorded series come to: replicas together, classes and outcomes apart, in clusters of their own."""

import json
from pathlib import Path

import pytest

from dashboards.rules.alerts import recordings
from e2e.prometheus.programs import Programs
from tests.dashboards.rules.promtool import judge, of, write

SERVICE = {"namespace": "team", "service": "chat", "model": "org/m"}
HELD = {"node": "a", "gpu": "g", "partition": "0", "mode": "SPX/NPS1", "claim": "c", "pod": "p", **SERVICE}
ONE, TWO = {"instance": "10.0.0.1:8443"}, {"instance": "10.0.0.2:8443"}
CLASS = {"priority": "standard"}

#: By recorded series: what is told for ten minutes, and what it comes to in the tenth, by labels.
ROWS: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "partition:aim_gpu_partition_memory_used:ratio": (
        {
            of("aim_gpu_partition_memory_bytes", type="used", **ONE, **HELD): "30x10",
            of("aim_gpu_partition_memory_bytes", type="allocated", **ONE, **HELD): "90x10",
            of("aim_gpu_partition_memory_bytes", type="total", **ONE, **HELD): "120x10",
        },
        {of("", **HELD): 0.25},
    ),
    "service:aim_model_requests:rate5m": (
        {
            of("aim_model_requests_total", code="200", reason="", **CLASS, **ONE, **SERVICE): "0+60x10",
            of("aim_model_requests_total", code="200", reason="", priority="batch", **TWO, **SERVICE): "0+30x10",
            of("aim_model_requests_total", code="429", reason="Shed", **CLASS, **ONE, **SERVICE): "0+6x10",
            of("aim_model_requests_total", "c2", code="200", reason="", **CLASS, **ONE, **SERVICE): "0+600x10",
            of("aim_model_requests_total", code="200", reason="", priority="", **TWO, **SERVICE): "0+120x10",
            of("aim_model_requests_total", code="4xx", reason="", priority="", **TWO, **SERVICE): "0+12x10",
            of("aim_model_requests_total", code="5xx", reason="", priority="", **TWO, **SERVICE): "0+15x10",
        },
        {
            of("", code="200", counted_at="gateway", ended="served", **SERVICE): 1.5,
            of("", code="429", reason="Shed", counted_at="gateway", ended="crowded", **SERVICE): 0.1,
            of("", "c2", code="200", counted_at="gateway", ended="served", **SERVICE): 10.0,
            of("", code="200", counted_at="engines", ended="served", **SERVICE): 2.0,
            of("", code="4xx", counted_at="engines", ended="caller", **SERVICE): 0.2,
            of("", code="5xx", counted_at="engines", ended="failed", **SERVICE): 0.25,
        },
    ),
    "service:aim_model_request_latency_seconds_bucket:rate5m": (
        {
            of("aim_model_request_latency_seconds_bucket", le=le, outcome=outcome, **CLASS, **one, **SERVICE): values
            for one in (ONE, TWO)
            for le, outcome, values in (
                ("1", "success", "0+12x10"),
                ("+Inf", "success", "0+30x10"),
                ("+Inf", "failure", "0+3x10"),
            )
        },
        {
            of("", le="1", outcome="success", **CLASS, **SERVICE): 0.4,
            of("", le="+Inf", outcome="success", **CLASS, **SERVICE): 1.0,
            of("", le="+Inf", outcome="failure", **CLASS, **SERVICE): 0.1,
        },
    ),
    "service:aim_model_time_to_first_byte_seconds_bucket:rate5m": (
        {
            of("aim_model_time_to_first_byte_seconds_bucket", le=le, **CLASS, **one, **SERVICE): values
            for one in (ONE, TWO)
            for le, values in (("0.5", "0+12x10"), ("+Inf", "0+30x10"))
        }
        | {of("aim_model_time_to_first_byte_seconds_bucket", le="+Inf", priority="batch", **ONE, **SERVICE): "0+6x10"},
        {
            of("", le="0.5", **CLASS, **SERVICE): 0.4,
            of("", le="+Inf", **CLASS, **SERVICE): 1.0,
            of("", le="+Inf", priority="batch", **SERVICE): 0.1,
        },
    ),
    "process:aim_build_info:sum": (
        {
            of("aim_build_info", process="operator", version="0.1.0", **ONE): "1x10",
            of("aim_build_info", process="operator", version="0.2.0", **TWO): "1x10",
            of("aim_build_info", process="agent", version="0.2.0", **ONE): "1x10",
        },
        {of("", process="operator"): 2.0, of("", process="agent"): 1.0},
    ),
}


def test_every_recorded_series_is_looked_at() -> None:
    assert ROWS.keys() == {one.name for one in recordings()}


@pytest.mark.needs_prometheus
@pytest.mark.parametrize("name", list(ROWS))
def test_a_recorded_series_comes_to_what_it_says(name: str, prometheus_programs: Programs, tmp_path: Path) -> None:
    told, wanted = ROWS[name]
    path = write(tmp_path, "recorded", [], [])
    tests = json.loads(path.read_text())
    samples = [{"labels": f"{name}{labels}", "value": value} for labels, value in wanted.items()]
    tests["tests"] = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in told.items()],
            "promql_expr_test": [{"expr": name, "eval_time": "10m", "exp_samples": samples}],
        }
    ]
    path.write_text(json.dumps(tests))
    verdicts = judge(prometheus_programs.promtool, [path])
    assert verdicts.passed == {path.name}, verdicts.output

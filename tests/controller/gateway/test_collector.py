from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller.gateway.collector import MOST_SERVICES, GatewayCollector, Tables
from controller.gateway.control.watching import WatchStatistics
from controller.gateway.gateway import GatewayStatistics
from controller.gateway.latency import LatencyTable
from controller.qos.statistics import ModelStatistics, PartitionStatistics, QoSStatistics
from controller.telemetry.metrics import Metrics


@dataclass
class Served:
    """A request as a table measures it."""

    arrived: float = 0.0
    dispatched: float = 0.25
    begun_at: float = 0.5
    status: int = 200
    streamed: bool = True


def statistics() -> GatewayStatistics:
    model = ModelStatistics(
        model="team-a/chat",
        queued={"standard": 3, "batch": 0},
        in_flight=4,
        minimum=2,
        lent=0,
        borrowed=2,
        arrived=9,
        dispatched=6,
        completed=2,
        cancelled=0,
        given_back=0,
    )
    partition = PartitionStatistics("worker-0/0000:05:00.0/3", 8, 6, 4, promotions=1, overloads=2)
    qos = QoSStatistics({partition.partition: partition}, {model.model: model})
    return GatewayStatistics(7, 10, 1, {"EngineLost": 2}, {"ModelNotFound": 5}, 3, qos, unreachable=2)


WATCHED = WatchStatistics(1, 1, {"NoClaim": 2}, (), reloads=3, refused=1)


def samples(tables: Tables) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = CollectorRegistry()
    registry.register(GatewayCollector(lambda: tables, statistics, lambda: WATCHED))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


def test_what_requests_took_and_how_they_ended() -> None:
    table = LatencyTable((0.7,))
    for _ in range(3):
        table.served(Served(), 0.6, 10, 3)
    table.failed(Served(), (502, "EngineLost"), 2.0)
    found = samples({("team-a/chat", "standard"): table})
    of = {"model": "team-a/chat", "priority": "standard"}
    assert found[key("aim_model_requests_total", **of, code="200", reason="")] == 3
    assert found[key("aim_model_requests_total", **of, code="502", reason="EngineLost")] == 1
    latency = "aim_model_request_latency_seconds"
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="0.5")] == 0
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="0.7")] == 3  # an objective's threshold
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="+Inf")] == 3
    assert found[key(f"{latency}_count", **of, outcome="failure")] == 1
    assert found[key("aim_model_time_to_first_byte_seconds_sum", **of)] == 1.5
    assert found[key("aim_model_queue_wait_seconds_count", **of)] == 4
    assert found[key("aim_model_tokens_total", **of, direction="output")] == 9


def test_what_the_dispatcher_shows() -> None:
    found = samples({})
    assert found[key("aim_model_queued_requests", model="team-a/chat", priority="standard")] == 3
    assert found[key("aim_model_seats", model="team-a/chat", state="borrowed")] == 2
    assert found[key("aim_partition_seats", partition="worker-0/0000:05:00.0/3", state="limit")] == 6
    assert found[key("aim_partition_promotions_total", partition="worker-0/0000:05:00.0/3")] == 1
    assert found[key("aim_partition_overloads_total", partition="worker-0/0000:05:00.0/3")] == 2


def test_what_the_gateway_and_its_watch_show() -> None:
    found = samples({})
    assert found[key("aim_gateway_connections")] == 7
    assert found[key("aim_gateway_unreachable_engines")] == 2
    assert found[key("aim_gateway_connections_turned_away_total")] == 1
    assert found[key("aim_gateway_unrouted_requests_total", reason="ModelNotFound")] == 5
    assert found[key("aim_gateway_engine_failures_total", reason="EngineLost")] == 2
    assert found[key("aim_gateway_reloads_total", result="refused")] == 1
    assert found[key("aim_gateway_rejected_endpoints", reason="NoClaim")] == 2


def test_beyond_so_many_services_the_rest_is_told_together() -> None:
    tables: dict[tuple[str, str], LatencyTable] = {}
    for number in range(MOST_SERVICES + 3):
        table = tables[f"team-a/m{number:04}", "standard"] = LatencyTable((0.7 + number,))
        table.served(Served(), 0.6, 1, 1)
    found = samples(tables)
    of = {"priority": "standard", "code": "200", "reason": ""}
    assert found[key("aim_model_requests_total", model="team-a/m0000", **of)] == 1
    assert found[key("aim_model_requests_total", model="other", **of)] == 3
    bucket = {"model": "other", "priority": "standard", "outcome": "success"}
    assert found[key("aim_model_request_latency_seconds_bucket", **bucket, le="1.0")] == 3
    assert key("aim_model_request_latency_seconds_bucket", **bucket, le=str(0.7 + MOST_SERVICES)) not in found


def test_it_is_told_with_the_processes_other_metrics() -> None:
    metrics = Metrics("gateway")
    metrics.register(GatewayCollector(dict, statistics, lambda: WATCHED))
    metrics.scheduler_operations.add(1, {"operation": "x", "result": "y"})
    text = metrics.exposition()
    metrics.close()
    assert b"aim_gateway_connections 7.0" in text
    assert b"aim_scheduler_operations_total" in text

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prometheus_client.parser import text_string_to_metric_families

from controller.gateway.collector import GatewayCollector, Tables
from controller.gateway.configuration import ServiceRoute
from controller.gateway.control.watching import WatchStatistics
from controller.gateway.gateway import GatewayStatistics
from controller.gateway.latency import LatencyTable
from controller.qos.settings import ModelSettings
from controller.qos.statistics import ModelStatistics, PartitionStatistics, QoSStatistics
from controller.telemetry import instruments
from controller.telemetry.bounds import MOST_SERVICES
from controller.telemetry.metrics import Metrics


@dataclass
class Served:
    """A request as a table measures it."""

    arrived: float = 0.0
    dispatched: float = 0.25
    begun_at: float = 0.5
    status: int = 200
    streamed: bool = True
    headers: bytes = b""


def statistics() -> GatewayStatistics:
    model = ModelStatistics(
        model="team-a/chat",
        queued={"standard": 3, "batch": 0},
        in_flight=4,
        minimum=2,
        lent=0,
        borrowed=2,
        room=25,
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


def route(key: str, model: str | None = "Qwen/Qwen3-8B") -> ServiceRoute:
    namespace, name = key.split("/")
    return ServiceRoute(namespace, name, (name,), ModelSettings(key, "standard", queue_length=40), engine_model=model)


CHAT = route("team-a/chat")
OF = {"namespace": "team-a", "service": "chat", "model": "Qwen/Qwen3-8B"}
PLACE = {"node": "worker-0", "gpu": "0000:05:00.0", "partition": "3"}


async def samples(
    tables: Tables, routes: Iterable[ServiceRoute] = (CHAT,), shown: GatewayStatistics | None = None
) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    metrics = Metrics("gateway")
    collector = GatewayCollector(lambda: routes, lambda: tables, lambda: shown or statistics(), lambda: WATCHED)
    collector.observed_by(metrics)
    text = (await metrics.exposition()).decode()
    metrics.close()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


async def test_what_requests_took_and_how_they_ended() -> None:
    table = LatencyTable((0.7,))
    for _ in range(3):
        table.served(Served(), 0.6, 10, 3)
    table.failed(Served(), (502, "EngineLost"), 2.0)
    found = await samples({("team-a/chat", "standard"): table})
    of = {**OF, "priority": "standard"}
    assert found[key("aim_model_requests_total", **of, code="200", reason="")] == 3
    assert found[key("aim_model_requests_total", **of, code="502", reason="EngineLost")] == 1
    latency = "aim_model_request_latency_seconds"
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="0.5")] == 0
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="0.7")] == 3  # an objective's threshold
    assert found[key(f"{latency}_bucket", **of, outcome="success", le="+Inf")] == 3
    assert found[key(f"{latency}_count", **of, outcome="failure")] == 1
    assert found[key("aim_model_time_to_first_byte_seconds_sum", **of)] == 1.5
    assert found[key("aim_model_time_per_output_token_seconds_count", **of)] == 3
    assert found[key("aim_model_queue_wait_seconds_count", **of)] == 4
    assert found[key("aim_model_tokens_total", **of, direction="input")] == 30
    assert found[key("aim_model_tokens_total", **of, direction="output")] == 9


async def test_what_nobody_asked_for_has_no_durations_and_zero_tokens() -> None:
    found = await samples({("team-a/chat", "standard"): LatencyTable()})
    assert not [name for name, _ in found if name.endswith("_bucket")]
    assert found[key("aim_model_tokens_total", **OF, priority="standard", direction="input")] == 0


async def test_what_the_dispatcher_shows() -> None:
    found = await samples({})
    assert found[key("aim_model_queued_requests", **OF, priority="standard")] == 3
    assert found[key("aim_model_queued_requests", **OF, priority="batch")] == 0  # empty is not unknown
    states = {"in_flight": 4, "minimum": 2, "lent": 0, "borrowed": 2}
    assert {state: found[key("aim_model_seats", **OF, state=state)] for state in states} == states
    assert found[key("aim_model_queue_length_limit", **OF)] == 25  # of 40, which other replicas have the rest of
    seats = {"total": 8, "limit": 6, "in_flight": 4}
    assert {state: found[key("aim_partition_seats", **PLACE, state=state)] for state in seats} == seats
    assert found[key("aim_partition_promotions_total", **PLACE)] == 1
    assert found[key("aim_partition_overloads_total", **PLACE)] == 2


async def test_a_pod_whose_partition_nobody_knows_has_one_of_its_own() -> None:
    partition = PartitionStatistics("worker-0/pod/3f2a", 8, 6, 4)
    shown = replace(statistics(), qos=QoSStatistics({partition.partition: partition}, {}))
    found = await samples({}, shown=shown)
    assert found[key("aim_partition_seats", node="worker-0", gpu="", partition="3f2a", state="total")] == 8


async def test_pods_that_name_several_models_have_no_model() -> None:
    found = await samples({}, [route("team-a/chat", None)])
    assert found[key("aim_model_queue_length_limit", namespace="team-a", service="chat", model="")] == 25


async def test_what_the_gateway_and_its_watch_show() -> None:
    found = await samples({})
    assert found[key("aim_gateway_connections")] == 7
    assert found[key("aim_gateway_unreachable_engines")] == 2
    assert found[key("aim_gateway_connections_turned_away_total")] == 1
    assert found[key("aim_gateway_unrouted_requests_total", reason="ModelNotFound")] == 5
    assert found[key("aim_gateway_engine_failures_total", reason="EngineLost")] == 2
    assert found[key("aim_gateway_reloads_total", result="taken")] == 3
    assert found[key("aim_gateway_reloads_total", result="refused")] == 1
    assert found[key("aim_gateway_rejected_endpoints", reason="NoClaim")] == 2


async def test_beyond_so_many_services_the_rest_is_told_together() -> None:
    tables: dict[tuple[str, str], LatencyTable] = {}
    for number in range(MOST_SERVICES + 3):
        table = tables[f"team-a/m{number:04}", "standard"] = LatencyTable((0.7 + number,))
        table.served(Served(), 0.6, 1, 1)
    shown = statistics()
    (chat,) = shown.qos.models.values()
    models = {key: replace(chat, model=key) for key, _ in tables}
    shown = replace(shown, qos=replace(shown.qos, models=models))
    found = await samples(tables, [route(key) for key, _ in tables], shown)
    of = {"priority": "standard", "code": "200", "reason": ""}
    assert found[key("aim_model_requests_total", **{**OF, "service": "m0000"}, **of)] == 1
    others = {"namespace": "other", "service": "other", "model": "other"}
    assert found[key("aim_model_requests_total", **others, **of)] == 3
    assert found[key("aim_model_queue_length_limit", **others)] == 75
    bucket = {**others, "priority": "standard", "outcome": "success"}
    assert found[key("aim_model_request_latency_seconds_bucket", **bucket, le="1.0")] == 3
    assert key("aim_model_request_latency_seconds_bucket", **bucket, le=str(0.7 + MOST_SERVICES)) not in found


async def test_each_collection_tells_what_is_there_by_then() -> None:
    tables: dict[tuple[str, str], LatencyTable] = {}
    metrics = Metrics("gateway")
    GatewayCollector(lambda: [CHAT], lambda: tables, statistics, lambda: WATCHED).observed_by(metrics)
    assert b"aim_model_requests_total{" not in await metrics.exposition()
    table = tables["team-a/chat", "standard"] = LatencyTable()
    table.served(Served(), 0.6, 10, 3)
    assert b"aim_model_requests_total{" in await metrics.exposition()
    tables.clear()
    assert b"aim_model_requests_total{" not in await metrics.exposition()
    metrics.close()


def test_the_tables_edges_are_those_of_the_declared_buckets() -> None:
    table = LatencyTable()
    assert table.success.edges == table.failure.edges == instruments.MODEL_REQUEST_LATENCY.buckets
    assert table.first_byte.edges == instruments.MODEL_TIME_TO_FIRST_BYTE.buckets
    assert table.token.edges == instruments.MODEL_TIME_PER_TOKEN.buckets
    assert table.queue_wait.edges == instruments.MODEL_QUEUE_WAIT.buckets

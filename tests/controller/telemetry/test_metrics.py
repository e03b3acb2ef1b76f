from collections.abc import Iterator

import pytest

from controller.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics("test")
    yield made
    made.close()


def samples(metrics: Metrics, name: str) -> dict[str, float]:
    lines = metrics.exposition().decode().splitlines()
    found = (line.rpartition(" ") for line in lines if line.startswith(f"{name}{{"))
    return {labels.removeprefix(name): float(value) for labels, _, value in found}


def test_operations_are_counted_by_kind_and_result(metrics: Metrics) -> None:
    for result in ("success", "success", "refused"):
        metrics.scheduler_operations.add(1, {"operation": "bind", "result": result})
    assert samples(metrics, "aim_scheduler_operations_total") == {
        '{operation="bind",result="success"}': 2.0,
        '{operation="bind",result="refused"}': 1.0,
    }


def test_partitions_are_read_at_each_collection(metrics: Metrics) -> None:
    used = [1.0]
    metrics.observe_partitions(lambda: [(used[0], {"type": "used"})], lambda: [(0.5, {"partition": "0"})])
    assert samples(metrics, "aim_gpu_partition_memory_bytes") == {'{type="used"}': 1.0}
    assert samples(metrics, "aim_gpu_partition_utilization") == {'{partition="0"}': 0.5}
    used[0] = 2.0
    assert samples(metrics, "aim_gpu_partition_memory_bytes") == {'{type="used"}': 2.0}


def test_claims_are_counted_by_isolation(metrics: Metrics) -> None:
    metrics.observe_claims(lambda: [(3.0, {"isolation": "cu-mask"})])
    assert samples(metrics, "aim_partition_claims") == {'{isolation="cu-mask"}': 3.0}


def test_budgets_and_burns_are_read_at_each_collection(metrics: Metrics) -> None:
    metrics.observe_objectives(lambda: [(-0.5, {"model": "a/b"})], lambda: [(14.5, {"model": "a/b", "window": "1h"})])
    assert samples(metrics, "aim_slo_error_budget_remaining") == {'{model="a/b"}': -0.5}
    assert samples(metrics, "aim_slo_burn_rate") == {'{model="a/b",window="1h"}': 14.5}


def test_a_partition_that_is_gone_is_not_told_any_more(metrics: Metrics) -> None:
    rows = [(1.0, {"partition": "0"}), (1.0, {"partition": "1"})]
    metrics.observe_partitions(lambda: list(rows), list)
    assert len(samples(metrics, "aim_gpu_partition_memory_bytes")) == 2
    rows.pop()
    assert samples(metrics, "aim_gpu_partition_memory_bytes") == {'{partition="0"}': 1.0}


def test_two_processes_of_one_test_do_not_share_figures(metrics: Metrics) -> None:
    other = Metrics("other")
    other.scheduler_operations.add(5, {"operation": "bind", "result": "success"})
    assert samples(metrics, "aim_scheduler_operations_total") == {}
    other.close()

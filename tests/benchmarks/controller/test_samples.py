import pytest

from tests.benchmarks.controller.benchmark import rotated
from tests.benchmarks.controller.contender import Program
from tests.benchmarks.controller.samples import Samples, size_name, unit_of
from tests.benchmarks.thresholds import Threshold

BOUND = {"throughput_1k": Threshold("go", 0.1, "why", ratio_at_least=1.5)}


def measured(*rows: tuple[str, str, float]) -> Samples:
    samples = Samples()
    for metric, program, value in rows:
        samples.add(metric, program, value)
    return samples


def test_each_metric_has_a_row_a_peer() -> None:
    samples = measured(
        ("throughput_1k", "go", 100.0),
        ("throughput_1k", "ours", 200.0),
        ("throughput_1k", "kopf", 10.0),
        ("rss_10k_pods_dicts", "ours", 300.0),
        ("cpu_10k_s", "go", 3.0),
    )
    rows = samples.rows("ours", BOUND)
    assert [(found.metric, found.peer, found.ratio) for found in rows] == [
        ("throughput_1k", "go", 2.0),
        ("throughput_1k", "kopf", 20.0),
        ("rss_10k_pods_dicts", None, None),
    ]
    assert [found.met for found in rows] == [True, None, None]


@pytest.mark.parametrize(("size", "want"), [(1000, "1k"), (10_000, "10k"), (200, "200"), (1500, "1500")])
def test_sizes_have_short_names(size: int, want: str) -> None:
    assert size_name(size) == want


def test_an_unknown_metric_has_no_unit() -> None:
    with pytest.raises(KeyError, match="watts"):
        unit_of("watts")


def test_every_contender_begins_once_in_a_row_of_runs() -> None:
    contenders = [Program(name, (), {}) for name in "abc"]
    orders = ["".join(program.name for program in rotated(contenders, number)) for number in range(1, 5)]
    assert orders == ["abc", "bca", "cab", "abc"]

from controller.placement.packing.host import Ask, Host
from tests.benchmarks.packing.bound import patterns, programme


def test_patterns_fill_a_gpu_until_nothing_more_fits() -> None:
    assert sorted(patterns((600, 300))) == [(0, 3), (1, 1)]


def test_a_programme_counts_only_places_that_could_be() -> None:
    hosts = [Host(8000, 8000, (1000,), "T4"), Host(8000, 8000, (1000,), "G2")]
    model = programme(hosts, [Ask(1000, 1000, 1, 600), Ask(1000, 1000, 1, 600, frozenset({"T4"})), Ask(9000)])
    assert [gain for _, _, gain in model.columns if gain] == [600, 600, 600]

import pytest

from tests.benchmarks.gateway.rows import BEST, FASTEST_ROUTER, OURS, Measured
from tests.benchmarks.thresholds import Threshold, bounds, thresholds


def measured() -> Measured:
    found = Measured()
    for subject, values in {
        OURS: (90, 100, 130),
        "haproxy": (200, 210, 190),
        "smg": (20, 21, 22),
        "vllm-router": (40, 60, 50),
        "direct": (500, 500, 500),
    }.items():
        for value in values:
            found.add("requests_per_second_c64", "requests/s", subject, value)
    return found


def test_the_fastest_of_the_routers_is_the_peer_that_counts() -> None:
    bound = Threshold(FASTEST_ROUTER, 0.1, "why", ratio_at_least=2.0)
    first, *others = measured().rows({"requests_per_second_c64": bound})
    assert (first.peer, first.peer_value, first.ratio, first.met) == (FASTEST_ROUTER, 50, 2.0, True)
    assert first.spread == {"ours": (90, 130), "peer": (40, 60)}
    assert [row.peer for row in others] == ["haproxy", "smg", "vllm-router", "direct"]
    assert {row.met for row in others} == {None}


def test_the_engine_alone_is_no_peer_to_be_best() -> None:
    bound = Threshold(BEST, 0.1, "why", ratio_at_least=1.0)
    first = measured().rows({"requests_per_second_c64": bound})[0]
    assert (first.peer, first.peer_value, first.met) == (BEST, 200, False)


def test_one_peer_may_have_a_bound_of_its_own() -> None:
    bound = Threshold("haproxy", 0.1, "why", ratio_at_least=0.4)
    rows = {row.peer: row.met for row in measured().rows({"requests_per_second_c64_haproxy": bound})}
    assert rows == {"haproxy": True, "smg": None, "vllm-router": None, "direct": None}


def test_what_was_not_measured_has_no_middle() -> None:
    with pytest.raises(KeyError, match="rss_mb of ours"):
        Measured().median("rss_mb", OURS)


def test_the_targets_of_the_design_stand_there() -> None:
    found = thresholds("gateway")
    assert found["requests_per_second_c64"].ratio_at_least == 2.0
    assert found["requests_per_second_c64_haproxy"].ratio_at_least == 0.4
    assert found["requests_per_second_c64_qos_off"].ratio_at_least == 0.7
    alone = bounds("gateway_figures")
    assert (alone["added_p99_ms"].at_most, alone["rss_mb_after_all"].at_most) == (1.0, 70)
    assert alone["core_cycles"].at_least == 200_000

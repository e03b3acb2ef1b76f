"""What services are charged by: partition-seconds and byte-seconds, from when they hold a partition until they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.exporter.use_for_charging import KEPT_SECONDS, UseForCharging
from controller.gpu.figures import Holding
from controller.telemetry.bounds import OTHER
from controller.telemetry.instruments import USAGE_BYTE_SECONDS, USAGE_PARTITION_SECONDS

GIB = 2**30
CHAT = Holding("team", "chat", "Qwen/Qwen3-8B", 24 * GIB)
CODE = Holding("team", "code", "Qwen/Qwen3-4B", 24 * GIB)


def seconds(use: UseForCharging) -> dict[str, float]:
    """Partition-seconds by service."""
    return {labels[2]: figure for labels, figure in use.partition_rows()}


def byte_seconds(use: UseForCharging) -> dict[str, float]:
    return {labels[2]: figure for labels, figure in use.byte_rows()}


def test_labels_say_the_node_and_who() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    want = {"node": "node-0", "namespace": "team", "service": "chat", "model": "Qwen/Qwen3-8B"}
    ((partition, _),) = use.partition_rows()
    ((byte, _),) = use.byte_rows()
    assert dict(zip(USAGE_PARTITION_SECONDS.labels, partition, strict=True)) == want
    assert dict(zip(USAGE_BYTE_SECONDS.labels, byte, strict=True)) == want


def test_nobody_is_charged_before_anybody_is_seen() -> None:
    use = UseForCharging("node-0")
    use.settle(50.0)
    use.hold(100.0, [CHAT])
    assert seconds(use) == {"chat": 0.0}, "told at once, so that a rate sees the first seconds"
    assert byte_seconds(use) == {"chat": 0.0}


def test_what_is_told_grows_from_nothing_by_all_that_was_held() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    use.hold(4.0, [CODE])
    use.collect(10.0)
    assert (seconds(use), byte_seconds(use)) == ({"chat": 0.0, "code": 0.0}, {"chat": 0.0, "code": 0.0})
    use.collect(24.9)
    assert seconds(use) == {"chat": 0.0, "code": 0.0}, "somebody else, who collects beside the first"
    use.collect(25.0)
    assert seconds(use) == {"chat": 4.0, "code": 21.0}, "also what was over before anybody collected"
    assert byte_seconds(use) == {"chat": 4.0 * 24 * GIB, "code": 21.0 * 24 * GIB}
    use.hold(30.0, [CHAT])
    use.collect(40.0)
    assert seconds(use) == {"chat": 14.0, "code": 26.0}, "who was told before goes on"


def test_each_partition_counts_for_its_time_and_size() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT, CHAT, CODE])
    use.hold(10.0, [CHAT])
    use.settle(15.0)
    assert seconds(use) == {"chat": 25.0, "code": 10.0}
    assert byte_seconds(use) == {"chat": 25.0 * 24 * GIB, "code": 10.0 * 24 * GIB}


def test_settling_twice_counts_once() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    for _ in range(2):
        use.settle(7.0)
    assert seconds(use) == {"chat": 7.0}


def test_a_service_that_holds_nothing_keeps_its_figure_a_while_and_then_ends() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    use.hold(10.0, [])
    use.settle(10.0 + KEPT_SECONDS - 0.1)
    assert seconds(use) == {"chat": 10.0}
    use.settle(10.0 + KEPT_SECONDS)
    assert seconds(use) == {}


def test_the_time_it_is_told_begins_with_its_end_and_not_again_with_each_report() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    use.hold(10.0, [])
    use.hold(200.0, [])
    use.settle(10.0 + KEPT_SECONDS)
    assert seconds(use) == {}


def test_one_that_comes_back_in_time_goes_on_from_where_it_was() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [CHAT])
    use.hold(10.0, [])
    use.hold(100.0, [CHAT])
    use.settle(105.0)
    assert seconds(use) == {"chat": 15.0}
    use.settle(105.0 + KEPT_SECONDS)
    assert seconds(use) == {"chat": 15.0 + KEPT_SECONDS}, "and is not forgotten while it holds one"


def test_bytes_that_nobody_told_are_not_charged_and_not_zero() -> None:
    use = UseForCharging("node-0")
    use.hold(0.0, [Holding("team", "chat", "", None)])
    use.settle(10.0)
    assert (seconds(use), byte_seconds(use)) == ({"chat": 10.0}, {})
    use.hold(10.0, [Holding("team", "chat", "", GIB)])
    use.settle(12.0)
    assert byte_seconds(use) == {"chat": 2.0 * GIB}


def test_services_beyond_the_limit_are_told_together() -> None:
    use = UseForCharging("node-0", most=1)
    use.hold(0.0, [CHAT, CODE, Holding("team", "third", "", GIB)])
    use.settle(10.0)
    assert seconds(use) == {"chat": 10.0, OTHER: 20.0}
    assert {labels[1:] for labels, _ in use.partition_rows() if labels[2] == OTHER} == {(OTHER, OTHER, OTHER)}


def test_what_others_used_never_falls_when_there_is_room_again() -> None:
    use = UseForCharging("node-0", most=1)
    use.hold(0.0, [CHAT, CODE])
    use.hold(10.0, [CODE])
    use.settle(10.0 + KEPT_SECONDS)  # chat is forgotten
    use.hold(10.0 + KEPT_SECONDS, [CODE])
    assert seconds(use) == {OTHER: 10.0 + KEPT_SECONDS, "code": 0.0}


HOLDINGS = st.lists(st.sampled_from([CHAT, CODE, Holding("other", "chat", "", 5 * GIB)]), max_size=5)


@given(st.lists(st.tuples(st.floats(0.01, 60.0), HOLDINGS), max_size=12), st.integers(1, 3))
def test_every_second_of_every_partition_is_charged_to_somebody(
    history: list[tuple[float, list[Holding]]], most: int
) -> None:
    """Within the time that services are kept: nothing is lost, counted twice or taken back, whatever the limit is."""
    use = UseForCharging("node-0", most=most)
    now, held, want = 0.0, 0, 0.0
    before: dict[tuple[str, ...], float] = {}
    use.hold(now, [])
    for passed, holdings in history:
        now, want = now + passed, want + passed * held
        if now >= KEPT_SECONDS:
            return
        use.hold(now, holdings)
        held = len(holdings)
        told = dict(use.partition_rows())
        assert sum(told.values()) == pytest.approx(want)
        assert all(told[labels] >= figure for labels, figure in before.items())
        before = told

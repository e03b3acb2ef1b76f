"""Histories that once broke a promise, as the search found them, without the steps that did not matter."""

from collections.abc import Iterator

import pytest

from tests.fuzz.scheduling.machine import Scheduling


@pytest.fixture
def state() -> Iterator[Scheduling]:
    found = Scheduling()
    yield found
    found.teardown()


def test_nobody_is_evicted_for_a_place_that_was_given_up_while_the_claim_was_written(state: Scheduling) -> None:
    """A gang that has waited long gets other places, with nobody to leave, in the very step that would evict."""
    tiny, small, middle = "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen3-8B", "Qwen/Qwen3-32B"
    state.begin(crowd=[("team-a", "meta-llama/Llama-3.3-70B-Instruct", 20), ("team-a", middle, 0)], small=8)
    state.claim_goes_before_its_device_is_given(namespace="team-a", model=tiny, which=0)
    state.comes(sort="member of a share group", namespace="team-a", model=tiny, priority=0, number=4, mode="")
    state.claim_goes_before_its_device_is_given(namespace="team-a", model=middle, which=0)
    state.partition_breaks_or_heals(node="node-a", number=0, index=0, healthy=False)
    state.comes(sort="gang", namespace="team-b", model=small, priority=20, number=4, mode="")
    state.time_passes(seconds=700.0)
    state.all_go_on(but={"pods"}, approves=False)
    state.policy_changes(name="auto", enabled=True, modes=[], most=None, least=None, paused=False, unavailable=1)
    state.partition_breaks_or_heals(node="node-b", number=0, index=6, healthy=False)
    state.claim_goes_before_its_device_is_given(namespace="team-a", model=tiny, which=0)
    state.partition_breaks_or_heals(node="node-b", number=0, index=7, healthy=False)
    state.all_go_on(but=set(), approves=False)
    asked = state.judge.fired["evictions for claims"]
    state.claim_goes_before_its_device_is_given(namespace="team-a", model=tiny, which=0)
    state.nothing_is_violated()
    assert asked  # the history still comes to where others leave for the gang

"""Pods that leave a whole GPU behind go first, and nothing is written that changes no order."""

import pytest

from controller.reconcilers.rollout.deletion_cost import FIRST, Member, changes, leaves_gpu


def member(name: str, cost: str = "", *, frees: bool = False) -> Member:
    return Member(name, f"uid-{name}", cost, frees)


@pytest.mark.parametrize(
    ("members", "want"),
    [
        pytest.param([member("a", frees=True), member("b")], {"a": FIRST}, id="one of them"),
        pytest.param([member("a", frees=True), member("b", frees=True)], {}, id="all alike"),
        pytest.param([member("a"), member("b")], {}, id="none"),
        pytest.param([member("a", FIRST), member("b", frees=True)], {"a": "", "b": FIRST}, id="the other by now"),
        pytest.param([member("a", FIRST), member("b")], {}, id="what says nothing any more stays"),
        pytest.param([member("a", FIRST, frees=True), member("b")], {}, id="written before"),
        pytest.param([member("a", "7", frees=True), member("b")], {}, id="somebody else's costs"),
    ],
)
def test_what_is_written(members: list[Member], want: dict[str, str]) -> None:
    assert {each.name: each.wanted for each in changes(members)} == want


@pytest.mark.parametrize(
    ("gpus", "want"),
    [
        pytest.param([{0: "mine", 1: ""}], True, id="alone there"),
        pytest.param([{0: "mine", 1: "other"}], False, id="with a neighbour"),
        pytest.param([{0: "mine", 1: "other"}, {0: "mine"}], True, id="one of two GPUs is its own"),
        pytest.param([], False, id="nowhere"),
    ],
)
def test_a_claim_leaves_a_gpu_that_it_holds_alone(gpus: list[dict[int, str]], want: bool) -> None:
    assert leaves_gpu("mine", gpus) is want

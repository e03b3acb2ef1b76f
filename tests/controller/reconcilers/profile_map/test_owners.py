"""Who owns a ConfigMap that pods share."""

from typing import Any

import pytest

from controller.reconcilers.profile_map.owners import MOST_OWNERS, owners
from controller.runtime.objects.pod import Pod
from tests.builders.pod import typed_pod

BARE = {"apiVersion": "v1", "kind": "Pod"}


def made_by(kind: str, uid: str, *, controller: bool = True) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": f"the-{uid}", "uid": uid, "controller": controller}]


def one(name: str, references: list[dict[str, Any]] | None = None) -> Pod:
    return typed_pod(name, metadata={"ownerReferences": references or []})


SET = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "the-rs", "uid": "rs"}
ROWS = [
    pytest.param([one("a", made_by("ReplicaSet", "rs"))], [SET], id="the controller"),
    pytest.param([one("a"), one("b")], [BARE | {"name": n, "uid": f"uid-{n}"} for n in "ab"], id="pods of nobody"),
    pytest.param([one(name, made_by("ReplicaSet", "rs")) for name in "abc"], [SET], id="once for all of its pods"),
    pytest.param(
        [one("a", made_by("ReplicaSet", "rs", controller=False))],
        [BARE | {"name": "a", "uid": "uid-a"}],
        id="an owner that controls nothing",
    ),
]


@pytest.mark.parametrize(("pods", "want"), ROWS)
def test_owners_are_those_who_made_the_pods(pods: list[Pod], want: list[dict[str, str]]) -> None:
    assert owners(pods, []) == want


def test_of_many_some_are_named_and_those_named_before_stay_while_they_live() -> None:
    pods = [one(f"p{number:03}") for number in range(100)]
    first = [reference["uid"] for reference in owners(pods, [])]
    assert len(first) == MOST_OWNERS
    after = [reference["uid"] for reference in owners(pods[1:], reversed(first))]
    assert set(first) - set(after) == {"uid-p000"}
    assert len(after) == MOST_OWNERS

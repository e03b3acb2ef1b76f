"""How many pods the ReplicaSet of a pod wants, as events tell of it."""

from typing import Any

import pytest

from controller.state.wanted import GONE, Wanted
from tests.builders.cluster import FedCluster


def replica_set(name: str, replicas: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "team-a", "uid": f"uid-{name}"}, "spec": {"replicas": replicas}}


def test_the_last_word_counts() -> None:
    world = FedCluster()
    for replicas in (2, 3):
        world.put(world.cluster.replica_sets, replica_set("chat-7f", replicas))
    assert world.cluster.wanted_pods.of("uid-chat-7f", "chat-7f-abcde", "7f") == Wanted("chat-7f", 3)


def test_one_that_is_gone_wants_none() -> None:
    world = FedCluster()
    world.put(world.cluster.replica_sets, replica_set("chat-7f", 2))
    world.drop(world.cluster.replica_sets, replica_set("chat-7f", 2))
    assert world.cluster.wanted_pods.of("uid-chat-7f", "chat-7f-abcde", "7f") == GONE


@pytest.mark.parametrize(
    ("owner", "pod", "template_hash"),
    [
        pytest.param("uid-web", "web-0", "web-6c8f7d9f5", id="a StatefulSet's"),
        pytest.param("uid-exporter", "exporter-abcde", "6c8f7d9f5", id="a DaemonSet's"),
        pytest.param("uid-job", "job-abcde", "", id="a Job's"),
        pytest.param("uid-odd", "odd--abcde", "", id="a name with two dashes"),
        pytest.param("uid-bare", "bare-abcde", "", id="of a ReplicaSet that nobody made, and that is gone"),
        pytest.param("uid-chat-7f", "chat-6e-abcde", "7f", id="of an older revision, which hands its partition over"),
        pytest.param("uid-gone-7f", "gone-6e-abcde", "7f", id="the same, and the new one is gone"),
    ],
)
def test_of_other_pods_it_is_not_known(owner: str, pod: str, template_hash: str) -> None:
    world = FedCluster()
    world.put(world.cluster.replica_sets, replica_set("chat-7f", 2))
    assert world.cluster.wanted_pods.of(owner, pod, template_hash) is None


def test_of_a_long_name_pods_have_the_first_characters() -> None:
    world, name = FedCluster(), "c" * 60
    world.put(world.cluster.replica_sets, replica_set(name, 2))
    assert world.cluster.wanted_pods.of(f"uid-{name}", f"{'c' * 58}abcde", "") == Wanted(name, 2)

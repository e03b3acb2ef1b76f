"""Which events reconcile which ConfigMap of pods."""

from typing import Any

import pytest

from controller.reconcilers.profile_map.owners import MOST_OWNERS
from controller.reconcilers.profile_map.triggers import itself_of_pods, map_of_pod, maps_of_products, maps_of_profile
from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.objects.pod import Pod
from controller.runtime.reconcile import Request
from tests.builders.cluster import FedCluster
from tests.builders.gpu_node import gpu_node
from tests.builders.model_profile import model_profile
from tests.builders.pod import pod, typed_pod

NAME = "aim-profiles-0123456789abcdef0123"
KEY = f"team-a/{NAME}"
HIT = [Request("team-a", NAME)]


def mounting(name: str) -> list[dict[str, Any]]:
    return [{"name": "aim-profiles", "configMap": {"name": name}}]


def added(name: str = NAME) -> StoreEvent[Pod]:
    return StoreEvent(EventType.ADDED, "team-a/a", None, typed_pod("a", volumes=mounting(name)))


@pytest.fixture
def fed() -> FedCluster:
    return FedCluster()


def written(fed: FedCluster, *owners: str) -> None:
    metadata = {"namespace": "team-a", "name": NAME, "uid": "u", "resourceVersion": "7"}
    fed.listed(fed.cluster.profile_maps, {"metadata": metadata})
    fed.cluster.written_maps.wrote(KEY, "7", [], owners)


def test_a_pod_whose_config_map_is_not_there(fed: FedCluster) -> None:
    assert list(map_of_pod(fed.cluster)(added())) == HIT
    assert not list(map_of_pod(fed.cluster)(added("settings")))
    assert not list(map_of_pod(fed.cluster)(StoreEvent(EventType.ADDED, "team-a/a", None, typed_pod("a"))))


@pytest.mark.parametrize(
    ("owners", "want"),
    [
        pytest.param(["other"], HIT, id="another owner"),
        pytest.param(["uid-a"], [], id="its own"),
        pytest.param([f"uid-{number}" for number in range(MOST_OWNERS)], [], id="as many as are written"),
    ],
)
def test_a_pod_whose_config_map_is_there_is_news_for_its_owner_alone(
    fed: FedCluster, owners: list[str], want: list[Request]
) -> None:
    written(fed, *owners)
    assert list(map_of_pod(fed.cluster)(added())) == want


def test_a_pod_that_goes_is_no_news(fed: FedCluster) -> None:
    gone = StoreEvent(EventType.DELETED, "team-a/a", typed_pod("a", volumes=mounting(NAME)), None)
    assert not list(map_of_pod(fed.cluster)(gone))


def test_the_config_map_itself_but_not_a_services(fed: FedCluster) -> None:
    assert list(itself_of_pods(StoreEvent(EventType.MODIFIED, KEY, None, None))) == HIT
    assert not list(itself_of_pods(StoreEvent(EventType.MODIFIED, "team-a/chat-aim-profiles", None, None)))


def test_all_that_are_mounted_when_a_product_comes(fed: FedCluster) -> None:
    mapping = maps_of_products(fed.cluster)
    fed.put(fed.cluster.pods, pod("a", volumes=mounting(NAME)))
    fed.put(fed.cluster.pods, pod("b", volumes=mounting("chat-aim-profiles")))
    event = StoreEvent(EventType.ADDED, "a", None, gpu_node())
    assert not list(mapping(event))
    fed.put(fed.cluster.gpu_nodes, gpu_node())
    assert list(mapping(event)) == HIT
    assert not list(mapping(event))


def test_all_that_are_mounted_when_a_model_profile_says_something_new(fed: FedCluster) -> None:
    fed.put(fed.cluster.pods, pod("a", volumes=mounting(NAME)))
    new, told = model_profile(), maps_of_profile(fed.cluster)
    assert list(told(StoreEvent(EventType.ADDED, "p", None, new))) == HIT
    assert not list(told(StoreEvent(EventType.MODIFIED, "p", new, new)))

from tests.builders.cluster import FedCluster
from tests.builders.pod import pod


def test_the_lowest_of_those_who_take_part() -> None:
    fed = FedCluster()
    pods = fed.cluster.pods
    assert fed.cluster.priorities.lowest is None
    fed.put(pods, pod("high", priority=9))
    fed.put(pods, pod("low", claim="aim-b", priority=-3))
    fed.put(pods, pod("foreign", claim=None, priority=-100))
    assert fed.cluster.priorities.lowest == -3
    fed.put(pods, pod("low", claim="aim-b", priority=-3, phase="Succeeded"))
    assert fed.cluster.priorities.lowest == 9
    fed.drop(pods, pod("high", priority=9))
    assert fed.cluster.priorities.lowest is None

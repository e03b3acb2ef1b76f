from tests.builders.cluster import FedCluster
from tests.builders.pod import pod


def lowest(fed: FedCluster) -> int | None:
    return fed.cluster.priorities.lowest


def test_the_lowest_of_those_who_take_part() -> None:
    fed = FedCluster()
    pods = fed.cluster.pods
    assert lowest(fed) is None
    fed.put(pods, pod("high", priority=9))
    fed.put(pods, pod("low", claim="aim-b", priority=-3))
    fed.put(pods, pod("foreign", claim=None, priority=-100))
    assert lowest(fed) == -3
    fed.put(pods, pod("low", claim="aim-b", priority=-3, phase="Succeeded"))
    assert lowest(fed) == 9
    fed.drop(pods, pod("high", priority=9))
    assert lowest(fed) is None

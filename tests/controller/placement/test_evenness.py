import pytest

from controller.placement.decision import Placed
from controller.placement.peers import Peer, PodRules
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Node, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import OURS, gpu
from tests.builders.node import node
from tests.builders.peers import ZONE, peer, rules, term

BY_HOST = rules(prefers=(term("web"),))
BY_ZONE = rules(prefers=(term("web", ZONE),))


def host(name: str, *peers: Peer, zone: str = "x") -> Node:
    return node(name, gpu(0, "SPX/NPS1"), gpu(1, "SPX/NPS1"), peers=peers, labels={ZONE: zone})


def placed(nodes: list[Node], wanted: PodRules | None, *, remembers: bool) -> str:
    found = ModelScheduler(remembers=remembers).schedule(Snapshot(nodes), demand(rules=wanted))
    assert isinstance(found, Placed)
    return found.node.name


@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize(
    ("nodes", "wanted", "want"),
    [
        pytest.param([host("a", peer("web")), host("b")], BY_HOST, "b", id="of two alike the emptier"),
        pytest.param([host("a", peer("web")), host("b")], rules("web"), "a", id="nothing asked: the first by name"),
        pytest.param([host("a", peer("web")), host("b")], None, "a", id="nothing known"),
        pytest.param([host("a", peer("web", leaving=True)), host("b")], BY_HOST, "a", id="who leaves is no crowd"),
        pytest.param([host("a", peer("web")), host("b", peer("web"))], BY_HOST, "a", id="as many on both"),
        pytest.param(
            [host("a"), host("b", peer("web")), host("c", zone="y")], BY_ZONE, "c", id="the emptier zone of two"
        ),
    ],
)
def test_a_wish_to_be_spread_breaks_ties(
    nodes: list[Node], wanted: PodRules | None, want: str, remembers: bool
) -> None:
    assert placed(nodes, wanted, remembers=remembers) == want


@pytest.mark.parametrize("remembers", [True, False])
def test_a_better_score_wins_over_it(remembers: bool) -> None:
    tighter = node("a", gpu(0, holders={0: OURS}), peers=(peer("web"), peer("web")))
    assert placed([tighter, node("b")], BY_HOST, remembers=remembers) == "a"


def test_replicas_of_one_cycle_see_one_another() -> None:
    asked = [demand(f"d{number}", rules=BY_HOST, created_seconds=float(number)) for number in range(2)]
    found = ModelScheduler().cycle(Snapshot([host("a"), host("b")]), asked)
    assert [one.node.name for _, one in found if isinstance(one, Placed)] == ["a", "b"]

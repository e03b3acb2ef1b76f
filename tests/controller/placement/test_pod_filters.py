from typing import Any

import pytest

from controller.placement.decision import Placed, Unplaced
from controller.placement.demand import Demand
from controller.placement.expression import Expression
from controller.placement.filters import refuse_node
from controller.placement.peers import HostPort, Peer, PodRules, Selected, Term, label_matches
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Node, Snapshot
from tests.builders.demand import constrained, demand
from tests.builders.gpu import gpu
from tests.builders.node import node
from tests.builders.peers import HOST, ZONE, peer, rules, spread, term

APART = rules(repels=(term("web"),))
BY_ZONE = rules(repels=(term("web", ZONE),))
TOGETHER = rules(attracts=(term("cache"),))


def host(name: str, *peers: Peer, zone: str = "", **fields: Any) -> Node:
    return node(name, peers=peers, labels={ZONE: zone} if zone else {}, **fields)


def reason(wanted: PodRules | Demand, *nodes: Node) -> str | None:
    """Why the first of the nodes is refused."""
    asked = wanted if isinstance(wanted, Demand) else demand(rules=wanted)
    found = refuse_node(Snapshot(nodes), asked, nodes[0])
    return found[0] if found is not None else None


@pytest.mark.parametrize(
    ("nodes", "wanted", "want"),
    [
        pytest.param([host("a", peer("web"))], APART, "PodAntiAffinity", id="one is there"),
        pytest.param([host("a", peer("db"))], APART, None, id="another is there"),
        pytest.param([host("a", peer("web", namespace="team-b"))], APART, None, id="one of another namespace"),
        pytest.param([host("a"), host("b", peer("web"))], APART, None, id="one is on another node"),
        pytest.param([host("a", peer("web", leaving=True))], APART, "PodAntiAffinity", id="it leaves, but is there"),
        pytest.param(
            [host("a", zone="x"), host("b", peer("web"), zone="x")], BY_ZONE, "PodAntiAffinity", id="in the zone"
        ),
        pytest.param([host("a", zone="x"), host("b", peer("web"), zone="y")], BY_ZONE, None, id="in another zone"),
        pytest.param([host("a", peer("web"))], BY_ZONE, None, id="a node of no zone is near to none"),
    ],
)
def test_a_pod_stays_away_from_those_that_it_names(nodes: list[Node], wanted: PodRules, want: str | None) -> None:
    assert reason(wanted, *nodes) == want


@pytest.mark.parametrize(
    ("nodes", "want"),
    [
        pytest.param([host("a", peer("db", repels=(term("web"),)))], "PodAntiAffinity", id="one on the node"),
        pytest.param([host("a", peer("db", repels=(term("other"),)))], None, id="it means others"),
        pytest.param([host("a"), host("b", peer("db", repels=(term("web"),)))], None, id="one elsewhere"),
        pytest.param(
            [host("a", zone="x"), host("b", peer("db", repels=(term("web", ZONE),)), zone="x")],
            "PodAntiAffinity",
            id="one in the zone",
        ),
    ],
)
def test_pods_that_are_there_keep_others_away_that_say_nothing(nodes: list[Node], want: str | None) -> None:
    assert reason(rules("web"), *nodes) == want


@pytest.mark.parametrize(
    ("nodes", "wanted", "want"),
    [
        pytest.param([host("a", peer("cache"))], TOGETHER, None, id="it is there"),
        pytest.param([host("a"), host("b", peer("cache"))], TOGETHER, "PodAffinity", id="it is elsewhere"),
        pytest.param([host("a")], rules("cache", attracts=(term("cache"),)), None, id="the first of its kind"),
        pytest.param(
            [host("a"), host("b", peer("cache"))],
            rules("cache", attracts=(term("cache"),)),
            "PodAffinity",
            id="not the first",
        ),
    ],
)
def test_a_pod_goes_where_those_are_that_it_needs(nodes: list[Node], wanted: PodRules, want: str | None) -> None:
    assert reason(wanted, *nodes) == want


EVEN = rules(spreads=(spread("web"),))
ZONES = rules(spreads=(spread("web", ZONE),))


@pytest.mark.parametrize(
    ("nodes", "wanted", "want"),
    [
        pytest.param([host("a"), host("b")], EVEN, None, id="nobody yet"),
        pytest.param([host("a", peer("web")), host("b")], EVEN, "TopologySpread", id="the other node has fewer"),
        pytest.param([host("a", peer("web")), host("b", peer("web"))], EVEN, None, id="as many"),
        pytest.param(
            [host("a", peer("web", leaving=True)), host("b")], EVEN, None, id="one that leaves is not counted"
        ),
        pytest.param(
            [host("a", peer("web")), host("b")], rules(spreads=(spread("web", skew=2),)), None, id="maxSkew 2"
        ),
        pytest.param([host("a", peer("web"))], EVEN, None, id="one node alone is even"),
        pytest.param(
            [host("a", peer("web"))],
            rules(spreads=(spread("web", least_domains=2),)),
            "TopologySpread",
            id="minDomains",
        ),
        pytest.param(
            [host("a", zone="x"), host("b", peer("web"), zone="x"), host("c", zone="y")],
            ZONES,
            "TopologySpread",
            id="the zone has more",
        ),
        pytest.param([host("a"), host("c", zone="y")], ZONES, "TopologySpread", id="a node of no zone"),
        pytest.param([host("a", peer("db")), host("b")], EVEN, None, id="others are not counted"),
    ],
)
def test_pods_are_spread_as_evenly_as_they_ask(nodes: list[Node], wanted: PodRules, want: str | None) -> None:
    assert reason(wanted, *nodes) == want


def test_spread_counts_the_nodes_that_the_pods_selector_names_and_no_others() -> None:
    nodes = [host("a", peer("web"), zone="x"), host("b", zone="y")]
    asked = demand(rules=EVEN, pod=constrained(node_selector=((ZONE, "x"),)))
    assert reason(asked, *nodes) is None
    assert reason(demand(rules=rules(spreads=(spread("web", by_affinity=False),)), pod=asked.pod), *nodes) is not None


PORT = HostPort(8080)


@pytest.mark.parametrize(
    ("taken", "want"),
    [
        pytest.param(PORT, "HostPortTaken", id="the same"),
        pytest.param(HostPort(8080, ip="10.0.0.1"), "HostPortTaken", id="at one address of all"),
        pytest.param(HostPort(8080, "UDP"), None, id="another protocol"),
        pytest.param(HostPort(8081), None, id="another port"),
    ],
)
def test_a_port_of_the_host_goes_to_one_pod(taken: HostPort, want: str | None) -> None:
    assert reason(rules(ports=(PORT,)), host("a", peer("db", ports=(taken,)))) == want


@pytest.mark.parametrize(
    "wanted", [APART, EVEN, rules(ports=(PORT,))], ids=["anti-affinity", "spread", "a port of the host"]
)
def test_what_a_cycle_has_placed_counts_for_those_after_it(wanted: PodRules) -> None:
    nodes = [host("a"), host("b")]
    asked = [demand(f"d{number}", rules=wanted, created_seconds=float(number)) for number in range(2)]
    found = ModelScheduler().cycle(Snapshot(nodes), asked)
    assert sorted(one.node.name for _, one in found if isinstance(one, Placed)) == ["a", "b"]


def test_the_one_too_many_is_told_why() -> None:
    asked = [demand(f"d{number}", rules=APART, created_seconds=float(number)) for number in range(3)]
    *_, (_, last) = ModelScheduler().cycle(Snapshot([host("a"), host("b")]), asked)
    assert isinstance(last, Unplaced)
    assert [row.reason for row in last.refusals] == ["PodAntiAffinity"]
    assert HOST in last.message


def test_without_a_claim_its_pod_keeps_nobody_away_and_afterwards_it_does_again() -> None:
    old = Holder("ours", "team-a/old")
    snapshot = Snapshot([node("a", gpu(0, holders={0: old}), peers=(peer("web", claim=old.name),))])
    with snapshot.without([old.name]):
        assert refuse_node(snapshot, demand(rules=APART), snapshot.nodes[0]) is None
    assert refuse_node(snapshot, demand(rules=APART), snapshot.nodes[0]) is not None


def test_a_trial_that_is_taken_back_takes_its_pod_along() -> None:
    snapshot, wanted = Snapshot([host("a")]), demand(rules=APART)
    (there,) = snapshot.nodes
    undo = snapshot.hold(there, there.gpus[0].partitions[:1], "team-a/x", wanted.pod.resources, wanted.peer)
    assert refuse_node(snapshot, wanted, there) is not None
    undo()
    assert refuse_node(snapshot, wanted, there) is None
    assert not snapshot.trial_nodes


def test_a_demand_of_which_nobody_told_is_not_judged_by_its_missing_labels() -> None:
    everybody = Term(HOST, Selected((Expression("app", "NotIn", ("web",)),), None))
    assert reason(demand(), host("a", peer("db", repels=(everybody,)))) is None
    assert reason(rules("db"), host("a", peer("db", repels=(everybody,)))) == "PodAntiAffinity"


@pytest.mark.parametrize(
    ("operator", "labels", "want"),
    [
        ("In", {"app": "web"}, True),
        ("In", {}, False),
        ("NotIn", {"app": "web"}, False),
        ("NotIn", {}, True),
        ("Exists", {"app": "x"}, True),
        ("DoesNotExist", {"app": "x"}, False),
    ],
)
def test_label_selectors_match_as_in_kubernetes(operator: str, labels: dict[str, str], want: bool) -> None:
    assert label_matches(Expression("app", operator, ("web",)), labels) is want


def test_an_operator_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="Gt"):
        label_matches(Expression("app", "Gt", ("1",)), {})

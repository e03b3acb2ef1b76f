from typing import Any

import pytest

from controller.placement.expression import Expression
from controller.placement.peers import HostPort, PodRules, Selected, Spread, Term
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Pod
from controller.translate.pod_rules import pod_rules
from tests.builders.peers import HOST, ZONE
from tests.builders.pod import container, pod

WEB = {"matchLabels": {"app": "web"}}
PODS = Selected((Expression("app", "In", ("web",)),), frozenset({"team-a"}))


def rules(*containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> PodRules:
    return pod_rules(typed(pod("p", *containers, metadata={"labels": labels or {"app": "web"}}, **spec), Pod))


def far(key: str = HOST, **term: Any) -> dict[str, Any]:
    terms = [{"topologyKey": key, "labelSelector": WEB, **term}]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@pytest.mark.parametrize(
    ("term", "want"),
    [
        pytest.param({}, PODS, id="its own namespace"),
        pytest.param({"namespaces": ["b"]}, Selected(PODS.selector, frozenset({"b"})), id="a named one"),
        pytest.param({"namespaceSelector": {}}, Selected(PODS.selector, None), id="all"),
        pytest.param({"namespaceSelector": {"matchLabels": {"a": "b"}}}, None, id="by their labels: not known here"),
        pytest.param({"labelSelector": None}, None, id="of no pod"),
        pytest.param(
            {"matchLabelKeys": ["rev"], "mismatchLabelKeys": ["tier"]},
            Selected(
                (*PODS.selector, Expression("rev", "In", ("1",)), Expression("tier", "NotIn", ("gold",))),
                PODS.namespaces,
            ),
            id="by the pod's own labels",
        ),
        pytest.param(
            {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}},
            Selected((Expression("app", "Exists"),), PODS.namespaces),
            id="by expressions",
        ),
    ],
)
def test_which_pods_an_anti_affinity_means(term: dict[str, Any], want: Selected | None) -> None:
    found = rules(labels={"app": "web", "rev": "1", "tier": "gold"}, affinity=far(**term))
    assert found.repels == (() if want is None else (Term(HOST, want),))


@pytest.mark.parametrize(("key", "want"), [(HOST, (Term(HOST, PODS),)), (ZONE, ())], ids=["by host", "by zone"])
def test_affinity_is_judged_by_host_alone(key: str, want: tuple[Term, ...]) -> None:
    near = far(key)["podAntiAffinity"]
    assert rules(affinity={"podAffinity": near}).attracts == want


def test_what_is_only_preferred_is_no_rule() -> None:
    weighed = [{"weight": 1, "podAffinityTerm": {"topologyKey": HOST, "labelSelector": WEB}}]
    anyway = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": WEB}
    found = rules(
        affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighed}},
        topologySpreadConstraints=[anyway],
    )
    assert not found.limit
    assert found.prefers == (Term(ZONE, PODS),), "it breaks ties"


def test_spread_with_every_field() -> None:
    constraint = {
        "topologyKey": ZONE,
        "maxSkew": 2,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": WEB,
        "minDomains": 3,
        "nodeAffinityPolicy": "Ignore",
        "nodeTaintsPolicy": "Honor",
    }
    (found,) = rules(topologySpreadConstraints=[constraint]).spreads
    assert found == Spread(ZONE, 2, PODS, least_domains=3, by_affinity=False, by_taints=True)


def test_spread_without_a_selector_counts_nobody() -> None:
    (found,) = rules(topologySpreadConstraints=[{"topologyKey": ZONE, "maxSkew": 1}]).spreads
    assert not found.pods.matches("team-a", {"app": "web"})


def test_ports_of_the_host_are_those_of_containers_and_sidecars() -> None:
    found = rules(
        container(ports=[{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081, "hostIP": "10.0.0.1"}]),
        initContainers=[
            container("side", ports=[{"containerPort": 82, "hostPort": 82}], restartPolicy="Always"),
            container("init", ports=[{"containerPort": 83, "hostPort": 83}]),
        ],
    )
    assert set(found.ports) == {HostPort(8081, "TCP", "10.0.0.1"), HostPort(82)}


def test_a_pod_without_any_keeps_its_labels_alone() -> None:
    assert rules() == PodRules({"app": "web"})

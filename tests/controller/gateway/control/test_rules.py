from typing import Any

import pytest

from api.seconds import parse_duration
from api.v1beta1.gpu_sharing_policy import default_qos_classes
from controller.gateway.configuration import Caller
from controller.gateway.control.rules import BUILT_IN, Rules, matches
from controller.qos.settings import QoSClass, TenantSettings
from tests.builders.watched import policy_of

GOLD = {"name": "gold", "rank": 0, "weight": 4, "starvationAfter": "500ms"}
STANDARD = {"name": "standard", "rank": 5, "weight": 1, "starvationAfter": "5s"}
ONLY_A = {"matchLabels": {"team": "a"}}


def test_without_a_policy_the_classes_are_the_apis_own() -> None:
    apis = [
        QoSClass(one.name, one.rank, one.weight, parse_duration(one.starvation_after)) for one in default_qos_classes()
    ]
    assert list(BUILT_IN) == apis
    assert list(Rules(()).classes) == apis


def test_a_namespace_is_ruled_by_the_oldest_policy_that_selects_it() -> None:
    old = policy_of("old", created="2025-01-01T00:00:00Z", namespaceSelector=ONLY_A)
    rules = Rules([policy_of("a-new"), old])
    assert rules.ruling(None, {"team": "a"}).name == "old"
    assert rules.ruling(None, {"team": "b"}).name == "a-new"


def test_a_service_is_ruled_by_the_policy_it_names_if_that_is_for_its_namespace() -> None:
    rules = Rules([policy_of("everyone"), policy_of("for-a", created="2026-02-01T00:00:00Z", namespaceSelector=ONLY_A)])
    assert rules.ruling("for-a", {"team": "a"}).name == "for-a"
    assert rules.ruling("for-a", {"team": "b"}).name == "everyone"
    assert rules.ruling("gone", {}).name == "everyone"
    assert Rules(()).ruling("gone", {}).name == ""


def test_a_policys_classes_are_its_services() -> None:
    rule = Rules([policy_of(qosClasses=[GOLD])]).ruling(None, {})
    assert rule.class_named("gold") == QoSClass("gold", 0, 4, 0.5)
    assert rule.class_named(None) == QoSClass("gold", 0, 4, 0.5)  # it has no standard
    assert rule.class_named("realtime") is None


def test_a_service_that_names_no_policy_may_name_a_class_of_any_that_is_for_it() -> None:
    old = policy_of("old", created="2025-01-01T00:00:00Z", qosClasses=[STANDARD])
    rules = Rules([policy_of("new", qosClasses=[GOLD, STANDARD | {"rank": 7}]), old])
    rule = rules.ruling(None, {})
    assert (rule.name, rule.class_named("gold")) == ("old", QoSClass("gold", 0, 4, 0.5))
    assert rule.class_named("standard") == QoSClass("standard@old", 5, 1, 5.0)
    assert rules.ruling("old", {}).class_named("gold") is None


def test_classes_of_one_name_are_two_where_policies_differ() -> None:
    rules = Rules([policy_of(qosClasses=[STANDARD])])
    assert rules.ruling(None, {}).class_named(None) == QoSClass("standard@shared", 5, 1, 5.0)
    assert [one.name for one in rules.classes] == ["realtime", "standard", "batch", "standard@shared"]


def test_classes_that_are_the_same_are_one() -> None:
    rules = Rules([policy_of("one", qosClasses=[GOLD]), policy_of("two", qosClasses=[GOLD])])
    assert [one.name for one in rules.classes].count("gold") == 1


def test_a_class_that_cannot_be_read_is_told_and_left_out() -> None:
    rules = Rules([policy_of(qosClasses=[GOLD, {"name": "odd", "rank": 1, "starvationAfter": "soon"}])])
    assert rules.ruling(None, {}).class_named("odd") is None
    assert "policy shared: qosClasses[odd].starvationAfter: duration 'soon' is not understood" in rules.problems[0]


def terms(namespace: str = "team-a", **more: Any) -> dict[str, Any]:
    return {"namespace": namespace, **more}


def test_a_caller_without_terms_may_call_its_own_namespace() -> None:
    assert Rules([policy_of(callers=[terms("other")])]).caller("team-a", "ci", key="ci") == Caller(
        "team-a", "ci", namespaces=frozenset({"team-a"})
    )


def test_terms_add_namespaces_and_a_ceiling() -> None:
    said = terms(ceiling="batch", maxRate=5, namespaces=["team-b"])
    rules = Rules([policy_of(callers=[said])])
    assert rules.caller("team-a", "ci", key="ci") == Caller("team-a", "ci", "batch", frozenset({"team-a", "team-b"}))
    assert rules.tenants() == {"team-a": TenantSettings(max_rate=5.0)}


def test_a_key_on_terms_of_its_own_is_a_tenant_of_its_own() -> None:
    said = terms(
        ceiling="batch", maxRate=5, keys=[{"name": "ci", "maxRate": 2}, {"name": "vip", "ceiling": "realtime"}]
    )
    rules = Rules([policy_of(callers=[said])])
    ours = frozenset({"team-a"})
    assert rules.caller("team-a", "ci", key="ci") == Caller("team-a/ci", "ci", "batch", ours)
    assert rules.caller("team-a", "vip", key="vip") == Caller("team-a/vip", "vip", "realtime", ours)
    assert rules.caller("team-a", "other", key="other") == Caller("team-a", "other", "batch", ours)
    assert rules.tenants() == {"team-a": TenantSettings(max_rate=5.0), "team-a/ci": TenantSettings(max_rate=2.0)}


def test_the_bearer_of_a_token_is_never_on_a_keys_terms() -> None:
    rules = Rules([policy_of(callers=[terms(keys=[{"name": "ci", "ceiling": "realtime"}])])])
    assert rules.caller("team-a", "ci").tenant == "team-a"


def test_a_ceiling_that_the_policy_has_not_got_is_its_last_class() -> None:
    assert Rules([policy_of(callers=[terms(ceiling="platinum")])]).caller("team-a", "ci").ceiling == "batch"


def test_a_ceiling_is_of_the_policys_own_classes() -> None:
    rules = Rules([policy_of(qosClasses=[STANDARD], callers=[terms(ceiling="standard")])])
    assert rules.caller("team-a", "ci").ceiling == "standard@shared"


def test_of_two_policies_with_terms_the_older_one_counts() -> None:
    old = policy_of("old", created="2025-01-01T00:00:00Z", callers=[terms(maxRate=1)])
    rules = Rules([policy_of("new", callers=[terms(maxRate=9, namespaces=["team-b"])]), old])
    assert rules.caller("team-a", "ci").namespaces == frozenset({"team-a"})
    assert rules.tenants() == {"team-a": TenantSettings(max_rate=1.0)}


@pytest.mark.parametrize(
    ("operator", "values", "labels", "want"),
    [
        ("In", ["a"], {"team": "a"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"team": "a"}, False),
        ("Exists", [], {"team": "a"}, True),
        ("DoesNotExist", [], {"team": "a"}, False),
        ("Odd", [], {"team": "a"}, False),
    ],
)
def test_selectors_are_kubernetes_own(operator: str, values: list[str], labels: dict[str, str], want: bool) -> None:
    selector = policy_of(
        namespaceSelector={"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}
    ).spec.namespace_selector
    assert matches(selector, labels) is want


def test_tenants_have_the_weight_of_their_namespace() -> None:
    rules = Rules([policy_of(callers=[terms(weight=3, keys=[{"name": "ci", "maxRate": 2}])])])
    assert rules.tenants() == {
        "team-a": TenantSettings(weight=3),
        "team-a/ci": TenantSettings(weight=3, max_rate=2.0),
    }


def test_a_policy_says_how_many_requests_a_shared_partition_takes() -> None:
    assert Rules([policy_of(sharedConcurrency=6)]).ruling(None, {}).shared_seats == 6
    assert Rules([policy_of()]).ruling(None, {}).shared_seats is None

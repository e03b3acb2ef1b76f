from typing import Any

import pytest

from api.label_selector import LabelSelector
from controller.webhooks.policy_validation import PolicyValidator, selector_text
from tests.builders.gpu import gpu
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground, Object

NODES = {"a": [gpu()], "b": [gpu()], "c": [gpu(product="MI300A", mode="SPX/NPS1")]}
LABELS = {"a": {"pool": "x"}, "b": {"pool": "x"}, "c": {"pool": "y"}}
LATER = "2026-06-01T00:00:00Z"


def ground(*policies: Object, services: tuple[Object, ...] = ()) -> Ground:
    return Ground(policies=policies, nodes=NODES, labels=LABELS, services=services)


def policy(name: str = "mine", **fields: Any) -> Object:
    return policy_object(name, **{"created": LATER} | fields)


OLD_X = policy_object("old-x", node_labels={"pool": "x"}, created="2025-01-01T00:00:00Z")
YOUNG = policy_object("young", node_labels={"pool": "y"}, created="2026-07-01T00:00:00Z")

WARNED = [
    pytest.param(ground(), policy(node_labels={"pool": "z"}), ["spec.nodeSelector", "pool=z", "none of the 3 managed GPU nodes"], id="no node"),
    pytest.param(ground(), policy(namespace_labels={"team": "z"}), ["spec.namespaceSelector", "team=z", "selects no namespace"], id="no namespace"),
    pytest.param(ground(OLD_X), policy(), ["spec.nodeSelector", "selects 2 of 3 nodes that the older policy old-x governs", "exclude them here, or delete old-x"], id="an older policy has two of its nodes"),
    pytest.param(ground(OLD_X), policy(node_labels={"pool": "x"}), ["pool=x", "2 of 2 nodes", "old-x"], id="an older policy has all of its nodes"),
    pytest.param(ground(YOUNG), policy(), ["selects 1 nodes that policy young selects too", "being older"], id="it takes a node from a younger one"),
    pytest.param(ground(policy_object("aaa", created=LATER)), policy(), ["3 of 3 nodes", "aaa"], id="of one age: the first by name wins"),
    pytest.param(ground(), policy(allowedModes=["SPX/NPS1", "QPX/NPS2"]), ["spec.allowedModes", "QPX/NPS2", "exists on no GPU", "CPX/NPS1"], id="a mode that none of its GPUs has"),
    pytest.param(ground(), policy(repartition={"approval": "Auto"}), ["spec.repartition.approval", "Auto", "spec.repartition.enabled is false"], id="approval of nothing"),
    pytest.param(ground(), policy(allowedModes=["QPX/NPS1"], repartition={"enabled": True}), ["spec.allowedModes", "QPX/NPS1", "set validatedOnly to false"], id="only modes that are not validated"),
    pytest.param(ground(), policy(repartition={"windows": [{"start": "01:00", "end": "02:00", "timezone": "Europe/Nowhere"}]}), ["spec.repartition.windows[0].timezone", "Europe/Nowhere", "never opens"], id="a window in no time zone"),
    pytest.param(ground(), policy(defragmentation={"enabled": True}), ["spec.defragmentation.enabled", "spec.repartition.enabled is false"], id="models brought together by no plan"),
    pytest.param(ground(), policy(defragmentation={"enabled": True}, repartition={"enabled": True, "maxUnavailablePods": 0}), ["spec.defragmentation.enabled", "maxUnavailablePods is 0"], id="models brought together that may not move"),
    pytest.param(ground(), policy(quotas=[{"namespace": "team-z", "max": "1Gi"}]), ["spec.quotas[0].namespace", "team-z", "does not exist"], id="a quota of no namespace"),
    pytest.param(ground(), policy(namespace_labels={"team": "a"}, quotas=[{"namespace": "team-b", "max": "1Gi"}]), ["spec.quotas[0].namespace", "team-b", "is not selected by spec.namespaceSelector"], id="a quota of a namespace that it is not for"),
    pytest.param(ground(), policy(callers=[{"namespace": "team-z"}]), ["spec.callers[0].namespace", "team-z", "does not exist"], id="a caller of no namespace"),
    pytest.param(ground(), policy(callers=[{"namespace": "team-a", "namespaces": ["team-b", "team-z"]}]), ["spec.callers[0].namespaces[1]", "team-z", "does not exist"], id="a caller of services in no namespace"),
    pytest.param(ground(), policy(callers=[{"namespace": "team-a", "ceiling": "gold"}]), ["spec.callers[0].ceiling", "gold", "the last one counts", "realtime, standard, batch"], id="a caller whose class there is not"),
    pytest.param(ground(), policy(callers=[{"namespace": "team-a", "keys": [{"name": "CI_1", "ceiling": "gold"}]}]), ["spec.callers[0].keys[0].ceiling", "gold"], id="a key whose class there is not"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "asked", "want_words"), WARNED)
async def test_a_doubtful_policy_is_warned_about(known: Ground, asked: Object, want_words: list[str]) -> None:
    given = await known.ask(PolicyValidator(known.cluster), asked, namespace="")
    assert given.allowed
    (warning,) = given.warnings
    assert all(word in warning for word in want_words), warning


FINE = [
    pytest.param(ground(), policy(), id="the least policy"),
    pytest.param(ground(), policy(repartition={"enabled": True, "approval": "Auto"}), id="validated modes, changed by itself"),
    pytest.param(ground(), policy(allowedModes=["QPX/NPS1"], validatedOnly=False, repartition={"enabled": True}), id="modes that are not validated, where that is allowed"),
    pytest.param(ground(), policy(repartition={"windows": [{"start": "01:00", "end": "02:00", "timezone": "Europe/Helsinki"}]}), id="a window in a time zone"),
    pytest.param(ground(OLD_X), policy(node_labels={"pool": "y"}), id="beside another"),
    pytest.param(ground(), policy(callers=[{"namespace": "team-a", "ceiling": "batch", "namespaces": ["team-b"], "keys": [{"name": "k", "ceiling": "realtime", "maxRate": 5}]}]), id="callers of namespaces and classes that there are"),
    pytest.param(ground(policy()), policy(node_labels={"pool": "x"}), id="itself is no rival"),
    pytest.param(Ground(), policy(node_labels={"pool": "z"}, allowedModes=["QPX/NPS2"]), id="an empty cluster: nothing can be compared"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "asked"), FINE)
async def test_a_good_policy_passes_without_a_word(known: Ground, asked: Object) -> None:
    given = await known.ask(PolicyValidator(known.cluster), asked, namespace="")
    assert (given.allowed, given.warnings) == (True, ())


def using(name: str, namespace: str = "team-a", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"},
        "spec": {"model": {"id": "Qwen/Qwen3-4B"}, "qos": {"class": "fast"}, **spec},
    }


FAST = [{"name": "fast", "rank": 0}, {"name": "slow", "rank": 1}]
SLOW = [{"name": "slow", "rank": 1}]
TEAM_A = {"team": "a"}
USERS = [
    pytest.param((), (using("u"), using("v", qos={"class": "slow"}), using("w", qos={})), "1 InferenceService in", id="one of three names it"),
    pytest.param((), (using("u"), using("v"), using("w", "team-b")), "2 InferenceServices in", id="another namespace does not count"),
    pytest.param((policy("more", node_labels={"pool": "no"}, qosClasses=FAST),), (using("u"),), None, id="another policy offers it still"),
    pytest.param((policy("more", node_labels={"pool": "no"}, qosClasses=FAST),), (using("u", gpuSharing={"policyRef": "mine"}),), "1 InferenceService in", id="but this one is named"),
    pytest.param((), (using("u", gpuSharing={"policyRef": "else"}),), None, id="another one is named"),
]  # fmt: skip


@pytest.mark.parametrize(("others", "services", "want"), USERS)
async def test_a_class_that_goes_while_services_name_it(
    others: tuple[Object, ...], services: tuple[Object, ...], want: str | None
) -> None:
    known = ground(*others, services=services)
    old, new = (policy(namespace_labels=TEAM_A, qosClasses=classes) for classes in (FAST, SLOW))
    given = await known.ask(PolicyValidator(known.cluster), new, old, namespace="")
    assert [("spec.qosClasses: 'fast'" in text and want in text) for text in given.warnings if want] == [True] * bool(
        want
    )
    assert len(given.warnings) == bool(want)


async def test_several_doubts_are_told_at_once() -> None:
    known = ground(OLD_X)
    asked = policy(
        namespace_labels={"team": "z"}, allowedModes=["QPX/NPS2"], quotas=[{"namespace": "no", "max": "1Gi"}]
    )
    given = await known.ask(PolicyValidator(known.cluster), asked, namespace="")
    assert len(given.warnings) == 4


async def test_nothing_is_called_missing_while_caches_are_empty() -> None:
    known = Ground(synced=False)
    given = await known.ask(
        PolicyValidator(known.cluster), policy(quotas=[{"namespace": "x", "max": "1Gi"}]), namespace=""
    )
    assert (given.allowed, given.warnings) == (True, ())


async def test_a_policy_without_a_creation_time_counts_as_the_youngest() -> None:
    known = ground(OLD_X)
    asked = policy()
    del asked["metadata"]["creationTimestamp"]
    given = await known.ask(PolicyValidator(known.cluster), asked, namespace="")
    assert "the older policy old-x governs" in given.warnings[0]


async def test_who_sent_the_flat_version_is_warned_in_its_fields() -> None:
    known = ground()
    asked = policy(node_labels={"pool": "z"}, repartition={"approval": "Auto"})
    given = await known.ask(PolicyValidator(known.cluster), asked, namespace="", sent_as="v1alpha1")
    assert [text.partition(":")[0] for text in given.warnings] == ["spec.nodeLabels", "spec.repartitionApproval"]
    assert "while spec.repartitionEnabled is false" in given.warnings[1]


async def test_an_unchanged_spec_is_not_judged() -> None:
    known = ground()
    old = policy(node_labels={"pool": "z"})
    given = await known.ask(PolicyValidator(known.cluster), {**old, "status": {"nodes": 1}}, old, namespace="")
    assert given.warnings == ()


def test_selectors_read_as_kubectl_takes_them() -> None:
    selector = LabelSelector.model_validate(
        {
            "matchLabels": {"b": "2", "a": "1"},
            "matchExpressions": [
                {"key": "c", "operator": "In", "values": ["x", "y"]},
                {"key": "d", "operator": "DoesNotExist"},
                {"key": "e", "operator": "Exists"},
            ],
        }
    )
    assert selector_text(selector) == "a=1,b=2,c in (x, y),!d,e"
    assert selector_text(LabelSelector()) == ""

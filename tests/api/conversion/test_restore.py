"""A stash that this conversion did not write is refused by item, with the value and the remedy."""

from typing import Any

import pytest

from api.conversion import ConversionError
from tests.api.conversion.test_latency import STRICT, WAIT, entry
from tests.builders.versions import flat_policy, flat_service, to_hub

MEMORY = "gpuSharing.partition.minMemory"


def service(place: str, held: Any, **spec: Any) -> dict[str, Any]:
    return flat_service({place: {"is": held}}, **spec)


FORGED = [
    pytest.param(flat_service("{"), ["'{'", "not JSON", "remove the annotation"], id="no JSON"),
    pytest.param(flat_service("NaN"), ["'NaN'", "not JSON"], id="NaN is no JSON"),
    pytest.param(flat_service("[" * 100_000), ["not JSON", "remove the annotation"], id="brackets without end"),
    pytest.param(flat_service("1" * 5000), ["not JSON"], id="a number without end"),
    pytest.param(flat_service("[1]"), ["[1]", "no object of items", "remove the annotation"], id="a list"),
    pytest.param(flat_service({"qos.slo": []}), ["item qos.slo", "[]", '{"is": ..., "shown": ...}'], id="no item"),
    pytest.param(
        flat_service({"qos.slo": {"is": [], "and": 1}}), ["item qos.slo", '"and"', "not of the form"], id="another key"
    ),
    pytest.param(
        service("qos.nothing", 1), ["item qos.nothing", "1", "no field", "edit the object as v1beta1"], id="unknown"
    ),
    pytest.param(service("", 1), ["no field"], id="no place"),
    pytest.param(service("model.id.x", 1), ["item model.id.x", "no field"], id="below a field"),
    pytest.param(service("gpuSharing.policyRef", "gold"), ["policyRef", '"gold"', "set spec.policy"], id="policy"),
    pytest.param(service("qos.class", "realtime"), ["qos.class", '"realtime"', "set spec.qosLevel"], id="class"),
    pytest.param(service("gpuSharing.shareGroup", "a"), ["shareGroup", "set spec.shareGroup"], id="share group"),
    pytest.param(service("replicas", 5), ["item replicas 5", "set spec.minInstances"], id="replicas"),
    pytest.param(service("predictor", {}), ["item predictor {}", "set spec.predictor"], id="predictor"),
    pytest.param(
        service("gpuSharing", {"policyRef": "gold"}), ["item gpuSharing", '"gold"', "a whole object"], id="an object"
    ),
    pytest.param(service("qos.guarantees", {"maxRate": 1}), ["qos.guarantees", "a whole object"], id="guarantees"),
    pytest.param(service("qos.queue", {}), ["item qos.queue {}", "contradicts spec.queueLength"], id="a queue"),
    pytest.param(service(MEMORY, "1Pi"), [f"item {MEMORY}", '"1Pi"', "contradicts spec.memoryGB", "null"], id="memory"),
    pytest.param(
        flat_service({MEMORY: {"is": "1Pi", "shown": "24Gi"}}, memoryGB="24"),
        [f"item {MEMORY}", '"1Pi"', 'contradicts spec.memoryGB, which says "24"'],
        id="more memory than is shown",
    ),
    pytest.param(service(MEMORY, "lots"), [f"item {MEMORY}", '"lots"', "breaks a rule", "pattern"], id="no amount"),
    pytest.param(service(MEMORY, 24), [f"item {MEMORY} 24", "breaks a rule"], id="a number for a text"),
    pytest.param(
        service("qos.slo", [entry()]), ["item qos.slo", "500ms", "contradicts spec.sloLatencyMs"], id="shown entry"
    ),
    pytest.param(
        flat_service({"qos.slo": {"is": [entry("1ms"), entry()], "shown": [entry()]}}, sloLatencyMs=500),
        ["item qos.slo", "contradicts spec.sloLatencyMs, which says 500"],
        id="another entry before the shown one",
    ),
    pytest.param(service("qos.slo", "all"), ["item qos.slo", '"all"', "breaks a rule"], id="no list"),
    pytest.param(
        service("qos.slo", "all", sloLatencyMs=5), ["item qos.slo", '"all"', "is no list"], id="no list to merge"
    ),
    pytest.param(
        service("qos.slo", [WAIT | {"percentile": "p12"}]),
        ["item qos.slo", "p12", "percentile", "breaks a rule"],
        id="an enum",
    ),
    pytest.param(service("qos.slo", [WAIT] * 2), ["item qos.slo", "keep the one whose objective is meant"], id="twice"),
    pytest.param(
        service("qos.slo", [WAIT | {"x": 1}]), ["item qos.slo", "a field that v1beta1 does not know"], id="extra"
    ),
    pytest.param(
        service("qos.slo", [entry(f"{n}s", metric="queueWait") for n in range(1, 9)], sloLatencyMs=5),
        ["item qos.slo", "at most 8 items"],
        id="one objective too many",
    ),
    pytest.param(
        flat_policy({"nodeSelector.matchExpressions": {"is": [{"key": "a", "operator": "In"}]}}),
        ["item nodeSelector.matchExpressions", "has no values", "give some"],
        id="In without values",
    ),
    pytest.param(
        flat_policy({"nodeSelector.matchLabels": {"is": {"a": "b"}}}), ["set spec.nodeLabels"], id="labels of nodes"
    ),
    pytest.param(
        flat_policy({"repartition": {"is": {"enabled": True}}}),
        ["item repartition", "a whole object"],
        id="repartition",
    ),
]


@pytest.mark.parametrize(("forged", "want"), FORGED)
def test_a_forged_stash_is_refused(forged: dict[str, Any], want: list[str]) -> None:
    with pytest.raises(ConversionError) as refusal:
        to_hub(forged)
    message = str(refusal.value)
    assert message.startswith(f"{forged['kind']} team-a/chat: annotation aim.amd.com/v1beta1-only")
    assert [part for part in want if part not in message] == [], message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('{"qos.slo":{"is":[', "]}}", id="an entry"),
        pytest.param('{"qos.nothing":{"is":', "}}", id="an item of no place"),
        pytest.param(
            '{"qos.slo":{"is":[{"metric":"requestLatency","percentile":"p99","objective":"99","threshold":',
            "}]}}",
            id="a threshold",
        ),
        pytest.param('{"qos.slo":', "}", id="no item"),
    ],
)
def test_nesting_however_deep_is_refused(before: str, after: str) -> None:
    # The interpreter's limit is met somewhere on the way, wherever the caller stands.
    for depth in (*range(1, 800, 50), *range(800, 1010)):
        with pytest.raises(ConversionError, match="annotation"):
            to_hub(flat_service(before + "[" * depth + "]" * depth + after, sloLatencyMs=5))


def test_one_bad_item_among_good_ones_is_named() -> None:
    stash = {"qos.slo": {"is": [WAIT]}, MEMORY: {"is": "1Gi"}}
    with pytest.raises(ConversionError, match=f"item {MEMORY}"):
        to_hub(flat_service(stash))


def test_a_rule_that_the_flat_fields_break_themselves_is_not_the_stashs_fault() -> None:
    both = flat_service({"qos.slo": {"is": [STRICT]}}, minInstances=3, maxInstances=2)
    assert to_hub(both)["spec"]["qos"]["slo"] == [STRICT]


def test_values_that_a_stash_may_hold_go_back() -> None:
    stash = {"qos.slo": {"is": [{"metric": "queueWait", "threshold": "1s"}]}, "qos.guarantees": {"is": {}}}
    assert to_hub(flat_service(stash))["spec"]["qos"] == {"slo": [WAIT], "guarantees": {}}


def test_an_edit_of_one_field_leaves_what_is_kept_for_others() -> None:
    stash = {MEMORY: {"is": "24576Mi", "shown": "24Gi"}, "qos.slo": {"is": [WAIT]}}
    spec = to_hub(flat_service(stash, memoryGB="48"))["spec"]
    assert (spec["gpuSharing"]["partition"]["minMemory"], spec["qos"]["slo"]) == ("48Gi", [WAIT])

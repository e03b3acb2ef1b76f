from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.runtime.objects.pod import Toleration
from controller.translate.node_taint import TAINT_EFFECT, TAINT_KEY, taint_patch, taint_value, toleration_patch
from tests.builders.json_patch import PatchFailed, apply_patch
from tests.builders.node import node_object
from tests.builders.plan import plan

OTHERS = [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}, {"key": TAINT_KEY, "effect": "NoExecute"}]


def ours(value: str = "plan-1") -> dict[str, str]:
    return {"key": TAINT_KEY, "value": value, "effect": TAINT_EFFECT}


@pytest.mark.parametrize("value", ["plan-1", None])
@pytest.mark.parametrize(
    ("before", "rest"),
    [
        pytest.param([], [], id="no taint"),
        pytest.param(OTHERS, OTHERS, id="those of others"),
        pytest.param([ours("plan-0"), *OTHERS], OTHERS, id="that of another plan, first"),
        pytest.param([OTHERS[0], ours(), OTHERS[1]], OTHERS, id="the same, in the middle"),
        pytest.param([*OTHERS, ours("")], OTHERS, id="one without a value, last"),
    ],
)
def test_only_our_taint_changes(before: list[dict[str, str]], rest: list[dict[str, str]], value: str | None) -> None:
    stored = node_object(taints=before)
    after = apply_patch(stored, taint_patch(stored, value))["spec"].get("taints", [])
    assert [taint for taint in after if taint in rest] == rest
    assert [taint for taint in after if taint not in rest] == ([ours()] if value else [])


@pytest.mark.parametrize(("taints", "value"), [([*OTHERS, ours()], "plan-1"), (OTHERS, None), ([], None)])
def test_what_is_as_it_should_be_is_not_written(taints: list[dict[str, str]], value: str | None) -> None:
    assert taint_patch(node_object(taints=taints), value) == []


@pytest.mark.parametrize("value", ["plan-1", None])
def test_a_node_that_was_written_since_takes_nothing(value: str | None) -> None:
    patch = taint_patch(node_object(taints=[ours("plan-0")]), value)
    with pytest.raises(PatchFailed, match="'op': 'test'"):
        apply_patch(node_object(taints=[*OTHERS, ours("plan-0")], version="2"), patch)


@pytest.mark.parametrize(("name", "want"), [("a" * 63, "a" * 63), ("a" * 64, f"plan-{'a' * 64}")])
def test_the_value_is_the_plans_name_where_it_fits(name: str, want: str) -> None:
    assert taint_value(RepartitionPlan.model_validate(plan(name))) == want


@pytest.mark.parametrize(
    ("present", "tolerated"),
    [
        pytest.param([], False, id="none"),
        pytest.param([{"key": "dedicated", "operator": "Exists"}], False, id="another key"),
        pytest.param([{"key": TAINT_KEY, "operator": "Exists", "effect": "NoExecute"}], False, id="another effect"),
        pytest.param([{"key": TAINT_KEY, "value": "plan-1", "effect": TAINT_EFFECT}], False, id="one plan's"),
        pytest.param([{"operator": "Exists"}], True, id="everything"),
        pytest.param([{"key": TAINT_KEY, "operator": "Exists"}], True, id="ours"),
    ],
)
def test_a_pod_tolerates_the_taint_of_any_plan_and_what_it_did_before(
    present: list[dict[str, Any]], tolerated: bool
) -> None:
    spec = {"tolerations": present} if present else {}
    patch = toleration_patch([Toleration(**one) for one in present])
    after = apply_patch({"spec": spec}, patch)["spec"].get("tolerations", [])
    added = [{"key": TAINT_KEY, "operator": "Exists", "effect": TAINT_EFFECT}]
    assert after == (present if tolerated else present + added)

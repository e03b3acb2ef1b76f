from datetime import UTC, datetime
from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from api.v1beta1.repartition_plan import PlanPhase
from controller.gpu.identity import PartitionId
from controller.placement.snapshot import Reservation
from controller.repartition.phases import TERMINAL, Phase
from controller.runtime.cache.store import Store
from controller.state.plans import Plans
from tests.builders.gpu import bdf
from tests.builders.plan import plan, reservation


def plans(*objects: dict[str, object]) -> Plans:
    table, store = Plans(RepartitionPlan.model_validate), Store()
    for obj in objects:
        for event in store.apply(obj):
            table.take(event)
    return table


RUNNING = sorted(set(Phase) - TERMINAL - {Phase.AWAITING_APPROVAL})
RESTING = sorted(set(Phase) - set(RUNNING))


@pytest.mark.parametrize("phase", RUNNING)
def test_a_plan_under_way_has_its_node_and_gpus_in_hand(phase: Phase) -> None:
    table = plans(plan("p", "worker-0", phase=phase, numbers=(0, 3)))
    assert table.active_nodes() == ("worker-0",)
    assert table.gpus_in_hand() == {("worker-0", bdf(0)): "p", ("worker-0", bdf(3)): "p"}


@pytest.mark.parametrize("phase", RESTING)
def test_one_that_waits_for_a_person_or_is_over_has_none(phase: Phase) -> None:
    table = plans(plan("p", phase=phase))
    assert (table.active_nodes(), table.gpus_in_hand()) == ((), {})


def saying(made: dict[str, Any], message: str) -> dict[str, Any]:
    made["status"]["message"] = message
    return made


def test_one_that_only_waits_to_begin_leaves_its_gpus_and_the_budget_to_others() -> None:
    table = plans(saying(plan("p", claim_uid="u1"), "waits: node worker-0 changed lately; next change in 600 s"))
    assert (table.active_nodes(), table.gpus_in_hand(), table.running_on("worker-0")) == ((), {}, ())
    assert table.for_claim("u1") is not None
    begun = plans(saying(plan("p", phase="Draining"), "waits until 0000:05:00.0/0 are idle"))
    assert begun.active_nodes() == ("worker-0",)


def test_the_table_knows_every_phase_that_the_api_has() -> None:
    assert {phase.value for phase in PlanPhase} == {phase.value for phase in Phase}


@pytest.mark.parametrize("phase", ["Musing", ""], ids=["of another version", "empty"])
def test_a_plan_in_an_unknown_phase_hides_no_other(phase: str) -> None:
    strange = plan("strange", "worker-1")
    strange["status"]["phase"] = phase
    table = plans(plan("p"), strange)
    assert (table.active_nodes(), table.for_claim("u1"), table.last_change("worker-1")) == (("worker-0",), None, None)


def test_a_dry_run_takes_nothing_in_hand() -> None:
    assert plans(plan("p", dry_run=True)).active_nodes() == ()


def test_nodes_are_named_once_and_in_order() -> None:
    table = plans(plan("a", "worker-1"), plan("b", "worker-0"), plan("c", "worker-1", numbers=(1,)))
    assert table.active_nodes() == ("worker-0", "worker-1")


@pytest.mark.parametrize("phase", sorted(Phase))
def test_the_unfinished_plan_of_a_claim(phase: Phase) -> None:
    found = plans(plan("p", claim_uid="u1", phase=phase)).for_claim("u1")
    assert (found is None) == (phase in TERMINAL)


def test_plans_of_others_are_not_ours() -> None:
    assert plans(plan("p", claim_uid="u1"), plan("q")).for_claim("u2") is None


def not_yet_made(name: str) -> RepartitionPlan:
    """A plan as the cycle wishes it: the API server has given it no uid yet."""
    made = plan(name)
    del made["metadata"]["uid"]
    return RepartitionPlan.model_validate(made)


def wished(name: str) -> RepartitionPlan:
    """A plan as it is before the API server has it: without a uid."""
    made = RepartitionPlan.model_validate(plan(name))
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"uid": ""})})


def test_an_assumed_plan_counts_until_it_is_seen() -> None:
    table = plans()
    table.assume(wished("p"))
    assert table.active_nodes() == ("worker-0",)
    for event in Store().apply(plan("p", phase="Succeeded")):
        table.take(event)
    assert table.active_nodes() == ()


def test_an_assumed_plan_that_was_not_made_is_forgotten_one_that_was_stays() -> None:
    table = plans(plan("seen"))
    table.assume(wished("p"))
    table.forget("p")
    table.forget("seen")
    assert list(table.keys()) == ["seen"]


def test_an_assumption_does_not_hide_what_was_seen() -> None:
    table = plans(plan("p", phase="Succeeded"))
    table.assume(RepartitionPlan.model_validate(plan("p")))
    assert table.active_nodes() == ()


@pytest.mark.parametrize(
    ("objects", "want"),
    [
        pytest.param([], None, id="no plan"),
        pytest.param([plan("p", phase="Failed")], None, id="one that never touched the hardware"),
        pytest.param([plan("p", phase="Verifying", applied_until="2026-01-01T00:05:00Z")], None, id="not over yet"),
        pytest.param([plan("p", phase="Succeeded", applied_until="2026-01-01T00:05:00Z")], 5, id="one that did"),
        pytest.param([plan("p", phase="RolledBack", applied_until="2026-01-01T00:05:00Z")], 5, id="one rolled back"),
        pytest.param(
            [
                plan("p", phase="Succeeded", applied_until="2026-01-01T00:05:00Z"),
                plan("q", phase="Failed", applied_until="2026-01-01T00:07:00Z"),
                plan("r", "worker-1", phase="Succeeded", applied_until="2026-01-01T00:09:00Z"),
            ],
            7,
            id="the latest of this node",
        ),
    ],
)
def test_when_a_node_changed_last(objects: list[dict[str, object]], want: int | None) -> None:
    found = plans(*objects).last_change("worker-0")
    assert found == (None if want is None else datetime(2026, 1, 1, 0, want, tzinfo=UTC))


@pytest.mark.parametrize("phase", ["Draining", "Succeeded", "Failed"])
def test_a_place_is_kept_as_long_as_the_plan_says_so(phase: str) -> None:
    keeps = plan("p", phase=phase)
    keeps["status"]["reservations"] = [reservation(bdf(1), 2, owner="rs-1", templateHash="h1")]
    found = plans(keeps, plan("q")).reservations()
    assert found == {("worker-0", PartitionId(bdf(1), 2)): Reservation("rs-1", "h1")}

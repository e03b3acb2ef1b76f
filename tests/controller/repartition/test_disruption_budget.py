import pytest

from controller.placement.snapshot import PolicyView
from controller.repartition.disruption_budget import refuse_change
from tests.builders.demand import demand
from tests.builders.node import node
from tests.builders.policy import policy_view


@pytest.mark.parametrize(
    ("policy", "active", "want"),
    [
        pytest.param(policy_view(), [], None, id="a policy that allows it"),
        pytest.param(None, [], "RepartitionDisabled", id="no policy"),
        pytest.param(policy_view(repartition=False), [], "RepartitionDisabled", id="a policy that does not enable it"),
        pytest.param(policy_view(paused=True), [], "Paused", id="a paused policy"),
        pytest.param(policy_view(namespaces=frozenset({"team-b"})), [], "PolicyMismatch", id="not for our namespace"),
        pytest.param(policy_view(max_parallel_nodes=9), ["worker-0"], "RepartitionRunning", id="the node is changing"),
        pytest.param(policy_view(), ["worker-1"], "RepartitionBudget", id="another node uses up the budget"),
        pytest.param(policy_view(max_parallel_nodes=2), ["worker-1"], None, id="one of two is left"),
        pytest.param(
            policy_view(max_parallel_nodes=2), ["worker-1", "worker-2"], "RepartitionBudget", id="both are used"
        ),
        pytest.param(policy_view(cooldown_left=0.5), [], "Cooldown", id="the node changed lately"),
        pytest.param(policy_view(approval="Manual"), [], None, id="a person's approval is asked later"),
    ],
)
def test_what_forbids_a_change(policy: PolicyView | None, active: list[str], want: str | None) -> None:
    refused = refuse_change(demand(), node(policy=policy), active)
    assert (refused.reason if refused else None) == want


def test_a_paused_node_changes_nothing() -> None:
    refused = refuse_change(demand(), node(policy=policy_view(), paused=True), [])
    assert refused is not None
    assert refused.reason == "Paused"


def test_sentences_carry_the_figures() -> None:
    cooling = refuse_change(demand(), node(policy=policy_view(cooldown_left=90.0)), [])
    crowded = refuse_change(demand(), node(policy=policy_view(max_parallel_nodes=1)), ["worker-7"])
    assert cooling is not None
    assert crowded is not None
    assert "90 s" in cooling.message
    assert "1 of repartition.maxParallelNodes 1" in crowded.message

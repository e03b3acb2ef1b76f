from typing import Any

import pytest

from controller.placement.snapshot import PolicyView
from controller.repartition.disruption_budget import NOTHING_USED, Refused, Usage, budget_left, refuse_change
from tests.builders.node import node
from tests.builders.policy import policy_view

DCM = {"dcm.amd.com/gpu-config-profile": "cpx"}
CLOSED: dict[str, Any] = {"in_window": False, "window_opens": "the next window opens on Sat 22:00"}


def refused(
    policy: PolicyView | None, usage: Usage = NOTHING_USED, *, evicts: int = 0, **fields: Any
) -> Refused | None:
    return refuse_change(node(policy=policy, **fields), "team-a", usage, evicts=evicts)


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
        pytest.param(policy_view(max_parallel_nodes=2), ["worker-1"] * 2, None, id="a node counts once"),
        pytest.param(
            policy_view(max_parallel_nodes=2), ["worker-1", "worker-2"], "RepartitionBudget", id="both are used"
        ),
        pytest.param(policy_view(cooldown_left=0.5), [], "Cooldown", id="the node changed lately"),
        pytest.param(policy_view(**CLOSED), [], "OutsideWindow", id="no window is open"),
        pytest.param(policy_view(approval="Manual"), [], None, id="a person's approval is asked later"),
    ],
)
def test_what_forbids_a_change(policy: PolicyView | None, active: list[str], want: str | None) -> None:
    found = refused(policy, Usage(active))
    assert (found.reason if found else None) == want


def test_checks_come_in_one_order_whatever_else_forbids_it() -> None:
    everything: dict[str, Any] = {
        "repartition": False,
        "paused": True,
        "namespaces": frozenset(),
        "max_parallel_nodes": 1,
        "max_unavailable_pods": 0,
        "cooldown_left": 9.0,
        **CLOSED,
    }
    remedies: list[dict[str, Any]] = [
        {"repartition": True},
        {"paused": False},
        {"ignore_device_config_manager": True},
        {"namespaces": None},
        {"max_parallel_nodes": 3},
        {"max_unavailable_pods": 1},
        {"cooldown_left": 0.0},
        {"in_window": True},
    ]
    reasons = []
    for remedy in remedies:
        found = refused(policy_view(**everything), Usage(["worker-1"]), evicts=1, labels=DCM)
        reasons.append(found.reason if found else "")
        everything |= remedy
    assert reasons == [
        "RepartitionDisabled",
        "Paused",
        "DeviceConfigManager",
        "PolicyMismatch",
        "RepartitionBudget",
        "UnavailablePodsBudget",
        "Cooldown",
        "OutsideWindow",
    ]
    assert refused(policy_view(**everything), Usage(["worker-1"]), evicts=1, labels=DCM) is None


def test_a_paused_node_changes_nothing() -> None:
    found = refused(policy_view(), paused=True)
    assert found is not None
    assert found.reason == "Paused"


def test_a_node_whose_agent_only_reports_keeps_its_modes() -> None:
    found = refused(policy_view(), reads_only=True)
    assert found is not None
    assert found.reason == "ReadOnlyBackend"
    assert "agent of node worker-0 only reports" in found.message
    assert "agent.mode=repartition" in found.message


def test_nodes_of_amds_device_config_manager_are_left_to_it_unless_the_policy_says_otherwise() -> None:
    found = refused(policy_view(), labels=DCM)
    assert found is not None
    assert found.reason == "DeviceConfigManager"
    assert "set repartition.ignoreDeviceConfigManager in policy shared" in found.message
    assert refused(policy_view(ignore_device_config_manager=True), labels=DCM) is None


def test_a_change_for_no_claim_asks_for_no_namespace() -> None:
    for_others = node(policy=policy_view(namespaces=frozenset()))
    assert refuse_change(for_others, None, NOTHING_USED) is None


@pytest.mark.parametrize(
    ("most", "down", "evicts", "want"),
    [
        pytest.param(1, 0, 3, None, id="they move one after the other"),
        pytest.param(1, 1, 1, "UnavailablePodsBudget", id="one is down, one may"),
        pytest.param(2, 3, 1, "UnavailablePodsBudget", id="more are down than may: the policy was tightened"),
        pytest.param(0, 0, 1, "UnavailablePodsBudget", id="none may: only idle GPUs are changed"),
        pytest.param(0, 0, 0, None, id="and those are"),
        pytest.param(1, 1, 0, None, id="an idle GPU needs no budget"),
    ],
)
def test_pods_that_are_down_bound_changes_that_evict(most: int, down: int, evicts: int, want: str | None) -> None:
    policy = policy_view(max_unavailable_pods=most)
    found = refused(policy, Usage(unavailable_pods=down), evicts=evicts)
    assert (found.reason if found else None) == want
    assert budget_left(policy, Usage(unavailable_pods=down)) == max(0, most - down)


@pytest.mark.parametrize(
    ("found", "figures"),
    [
        pytest.param(refused(policy_view(cooldown_left=90.0)), "in 90 s", id="cooldown, of a change that is expected"),
        pytest.param(
            refused(policy_view(cooldown_left=90.0, rests_until="2026-11-26T12:02Z")),
            "after 2026-11-26T12:02Z",
            id="cooldown: the text stays the same while it lasts",
        ),
        pytest.param(refused(policy_view(), Usage(["worker-7"])), "1 of repartition.maxParallelNodes 1", id="nodes"),
        pytest.param(refused(policy_view(**CLOSED)), "opens on Sat 22:00", id="window"),
        pytest.param(
            refused(policy_view(), Usage(unavailable_pods=1), evicts=2),
            "1 of repartition.maxUnavailablePods 1",
            id="pods",
        ),
    ],
)
def test_sentences_carry_the_figures(found: Refused | None, figures: str) -> None:
    assert found is not None
    assert figures in found.message

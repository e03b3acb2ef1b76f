"""What a claim is told where only the node's policy stands between it and a change of modes: field and value."""

from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.demand import Demand
from controller.placement.snapshot import Gpu, Node, Snapshot
from controller.repartition.disruption_budget import Refused
from controller.repartition.planner import propose
from tests.builders.demand import demand
from tests.builders.gpu import FOREIGN, busy, gpu
from tests.builders.node import node
from tests.builders.policy import policy_view

DPX = demand(gib=16, modes=["DPX/NPS1"])
CPX = demand(gib=16, modes=["CPX/NPS4"])
WOULD_HELP = "policy shared forbids the change of node worker-0 to DPX/NPS1 that would help"
NOT_VALIDATED = "its validatedOnly is true and AMD has not validated DPX/NPS1 for MI300X"
LEFT_OUT = "its allowedModes leave out DPX/NPS1"


def host(*gpus: Gpu, name: str = "worker-0", node_paused: bool = False, **policy: Any) -> Node:
    return node(name, *(gpus or (gpu(0, "SPX/NPS1"),)), policy=policy_view(**policy), paused=node_paused)


def told(wanted: Demand, *nodes: Node) -> tuple[str, str]:
    found = propose(Snapshot(nodes), wanted, ())
    assert isinstance(found, Refused), found
    return found.reason, found.message


@pytest.mark.parametrize(
    ("policy", "reason", "text"),
    [
        pytest.param(
            {"validated_only": True, "modes": ["DPX/NPS1", "SPX/NPS1"]},
            "ModeNotValidated",
            f"{WOULD_HELP}: {NOT_VALIDATED}; set its spec.validatedOnly to false",
            id="allowed, and not validated",
        ),
        pytest.param(
            {"modes": ["SPX/NPS1", "CPX/NPS1"]},
            "ModeNotAllowed",
            f"{WOULD_HELP}: {LEFT_OUT}; add DPX/NPS1 to its spec.allowedModes",
            id="not allowed",
        ),
        pytest.param(
            {"validated_only": True, "modes": ["SPX/NPS1"]},
            "ModeNotAllowed",
            f"{WOULD_HELP}: {LEFT_OUT} and {NOT_VALIDATED}; add DPX/NPS1 to its spec.allowedModes and set its "
            "spec.validatedOnly to false",
            id="neither",
        ),
        pytest.param(
            {"validated_only": True, "cooldown_left": 90.0},
            "ModeNotValidated",
            f"{WOULD_HELP}: {NOT_VALIDATED}; set its spec.validatedOnly to false",
            id="cooling down, which it would wait for in vain",
        ),
        pytest.param(
            {"repartition": False},
            "RepartitionDisabled",
            "no policy with repartition.enabled selects node worker-0; set spec.repartition.enabled of policy shared to "
            "true",
            id="disabled",
        ),
        pytest.param(
            {"cooldown_left": 90.0},
            "Cooldown",
            "node worker-0 changed lately; next change in 90 s; for a sooner one shorten spec.repartition.cooldown of "
            "policy shared",
            id="cooling down",
        ),
        pytest.param(
            {"in_window": False, "window_opens": "the next window opens on Sat 22:00"},
            "OutsideWindow",
            "policy shared: the next window opens on Sat 22:00; for a sooner change add one to its "
            "spec.repartition.windows",
            id="outside a window",
        ),
        pytest.param(
            {"paused": True}, "Paused", "policy shared is paused; set its spec.paused to false", id="a paused policy"
        ),
    ],
)
def test_the_cause_is_named_with_field_and_value(policy: dict[str, Any], reason: str, text: str) -> None:
    assert told(DPX, host(**policy)) == (reason, text)


def test_a_paused_node_is_named() -> None:
    assert told(DPX, host(node_paused=True)) == (
        "Paused",
        "node worker-0 is paused; set GPUNode worker-0 spec.paused to false",
    )


def test_a_node_without_a_policy_is_named() -> None:
    bare = node("worker-0", gpu(0, "SPX/NPS1"), policy=None)
    assert told(DPX, bare)[1] == "no policy with repartition.enabled selects node worker-0; make one that does"


def test_every_mode_of_a_change_of_the_memory_mode_is_named() -> None:
    # CPX/NPS4 is allowed; the other GPU would go along in QPX/NPS4 or in CPX/NPS4, and its own mode is kept first
    bounded = host(gpu(0, "SPX/NPS1"), gpu(1, "QPX/NPS1"), validated_only=True, modes=["SPX/NPS1", "QPX/NPS1"])
    assert told(CPX, bounded)[1].endswith(
        "its allowedModes leave out CPX/NPS4, QPX/NPS4 and its validatedOnly is true and AMD has not validated "
        "QPX/NPS4 for MI300X; add CPX/NPS4, QPX/NPS4 to its spec.allowedModes and set its spec.validatedOnly to false"
    )


@pytest.mark.parametrize(
    ("wanted", "there", "reason"),
    [
        pytest.param(DPX, host(busy(0, "SPX/NPS1"), validated_only=True), "ModeNotValidated", id="held, and ruled out"),
        pytest.param(
            DPX, host(busy(0, "SPX/NPS1", FOREIGN), validated_only=True), "NoIdleGPU", id="another's, and ruled out"
        ),
        pytest.param(
            demand(gib=16), host(busy(0, "SPX/NPS1"), validated_only=True), "NoIdleGPU", id="a validated mode would do"
        ),
        pytest.param(DPX, host(busy(0, "SPX/NPS1")), "NoIdleGPU", id="held, and nothing is ruled out"),
        pytest.param(demand(gib=999), host(validated_only=True), "NoIdleGPU", id="no mode would do"),
        pytest.param(
            demand(gib=16, modes=["TPX/NPS1"]), host(modes=["SPX/NPS1"]), "NoIdleGPU", id="a mode the GPU has not got"
        ),
    ],
)
def test_the_policy_is_named_only_where_its_modes_are_what_forbids_it(wanted: Demand, there: Node, reason: str) -> None:
    assert told(wanted, there)[0] == reason


def test_a_node_that_may_be_changed_is_told_of_before_one_that_is_paused() -> None:
    paused, bounded = host(name="worker-0", node_paused=True), host(name="worker-1", validated_only=True)
    assert told(DPX, paused, bounded)[0] == told(DPX, bounded, paused)[0] == "ModeNotValidated"


def test_what_the_policy_rules_out_on_one_node_is_made_on_another() -> None:
    found = propose(Snapshot([host(validated_only=True), host(name="worker-1")]), DPX, ())
    assert not isinstance(found, Refused)
    assert (found.node, found.mode) == ("worker-1", Mode.parse("DPX/NPS1"))

from datetime import datetime, timedelta

import pytest

from api.v1beta1 import GPUSharingPolicy
from controller.gpu.mode import Mode
from controller.placement.quota import Quota
from controller.translate.policy import policy_for, policy_view
from tests.builders.policy import policy_object
from tests.fakes.clock import START


def policies(*objects: dict[str, object]) -> list[GPUSharingPolicy]:
    return [GPUSharingPolicy.model_validate(obj) for obj in objects]


OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param([], None, id="no policy"),
        pytest.param([policy_object("a", node_labels={"pool": "silver"})], None, id="none that selects the node"),
        pytest.param(
            [policy_object("a"), policy_object("b", node_labels={"pool": "gold"})], "a", id="of one age by name"
        ),
        pytest.param([policy_object("a", created=NEW), policy_object("b", created=OLD)], "b", id="the older one"),
        pytest.param(
            [policy_object("a", created=OLD, node_labels={"pool": "silver"}), policy_object("b", created=NEW)],
            "b",
            id="the older one that selects the node",
        ),
    ],
)
def test_which_policy_rules(given: list[dict[str, object]], want: str | None) -> None:
    ruling = policy_for({"pool": "gold"}, policies(*given))
    assert (ruling.metadata.name if ruling else None) == want


def test_defaults_change_nothing_and_admit_everybody() -> None:
    (policy,) = policies(policy_object())
    seen = policy_view(policy, {}, None, START)
    assert (seen.repartition, seen.approval, seen.validated_only, seen.max_parallel_nodes) == (False, "Manual", True, 1)
    assert (seen.modes, seen.namespaces, seen.paused, seen.cooldown_left) == (frozenset(), None, False, 0.0)


def test_what_a_policy_says_is_carried_over() -> None:
    rules = {"enabled": True, "approval": "Auto", "maxParallelNodes": 3, "cooldown": "10m"}
    (policy,) = policies(
        policy_object(
            "gold",
            namespace_labels={"tier": "1"},
            allowedModes=["CPX/NPS4"],
            validatedOnly=False,
            repartition=rules,
            paused=True,
            scorer="fgd",
        )
    )
    seen = policy_view(policy, {"team-a": {"tier": "1"}, "team-b": {}}, None, START)
    assert (seen.name, seen.modes, seen.validated_only) == ("gold", frozenset({Mode.parse("CPX/NPS4")}), False)
    assert (seen.repartition, seen.approval, seen.max_parallel_nodes, seen.paused) == (True, "Auto", 3, True)
    assert (seen.namespaces, seen.scorer) == (frozenset({"team-a"}), "fgd")


def test_a_selector_that_matches_nobody_admits_nobody() -> None:
    (policy,) = policies(policy_object(namespace_labels={"tier": "9"}))
    assert policy_view(policy, {"team-a": {}}, None, START).namespaces == frozenset()


@pytest.mark.parametrize(
    ("ago", "want"),
    [
        pytest.param(0, 600.0, id="just now"),
        pytest.param(599, 1.0, id="a second short"),
        pytest.param(700, 0.0, id="over"),
    ],
)
def test_the_rest_of_the_cooldown(ago: int, want: float) -> None:
    (policy,) = policies(policy_object(repartition={"enabled": True, "cooldown": "10m"}))
    assert policy_view(policy, {}, START - timedelta(seconds=ago), START).cooldown_left == want


@pytest.mark.parametrize(
    ("ago", "want"),
    [
        pytest.param(0, "2026-01-01T00:10Z", id="just now: a whole minute"),
        pytest.param(30, "2026-01-01T00:10Z", id="never before it ends"),
        pytest.param(61, "2026-01-01T00:09Z", id="a minute later"),
        pytest.param(700, "", id="over"),
    ],
)
def test_when_the_cooldown_ends_is_told_by_whole_minutes(ago: int, want: str) -> None:
    (policy,) = policies(policy_object(repartition={"enabled": True, "cooldown": "10m"}))
    assert policy_view(policy, {}, START - timedelta(seconds=ago), START).rests_until == want


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        pytest.param("2026-11-26T20:30:59+00:00", "", id="open"),
        pytest.param("2026-11-26T12:00:00+00:00", "the next window opens on Thu 2026-11-26 22:00 EET", id="closed"),
    ],
)
def test_windows_are_seen_as_open_or_with_the_time_of_the_next(now: str, opens: str) -> None:
    night = {"start": "22:00", "end": "04:00", "days": ["Thu"], "timezone": "Europe/Helsinki"}
    (policy,) = policies(policy_object(repartition={"enabled": True, "maxUnavailablePods": 3, "windows": [night]}))
    seen = policy_view(policy, {}, None, datetime.fromisoformat(now))
    assert (seen.in_window, seen.window_opens) == (not opens, opens)
    assert (seen.max_unavailable_pods, seen.ignore_device_config_manager) == (3, False)


def test_quotas_are_bytes_by_namespace() -> None:
    bounds = [{"namespace": "team-a", "min": "1Gi", "max": "2Gi"}, {"namespace": "team-b", "max": "3Gi"}]
    (policy,) = policies(policy_object(quotas=bounds))
    seen = policy_view(policy, {}, None, START)
    assert seen.quota("team-a") == Quota(1 << 30, 2 << 30)
    assert (seen.quota("team-b"), seen.quota("team-c")) == (Quota(0, 3 << 30), Quota(0, None))

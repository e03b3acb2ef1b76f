"""Each flat field of a policy at its place in the hub, and back."""

from typing import Any

import pytest

from tests.builders.versions import flat_policy, hub_policy, stash_of, to_hub, to_spoke

WINDOW = {"days": ["Sat"], "start": "22:00", "end": "04:00", "timezone": "UTC"}
CLASSES = [{"name": "gold", "rank": 0, "weight": 2, "starvationAfter": "1s"}]
QUOTAS = [{"namespace": "a", "min": "1Gi", "max": "2Gi"}]
EXPRESSIONS = [{"key": "zone", "operator": "In", "values": ["a", "b"]}]

ROWS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"nodeLabels": {"zone": "a"}}, {"nodeSelector": {"matchLabels": {"zone": "a"}}}),
    ({"namespaceLabels": {"team": "a"}}, {"namespaceSelector": {"matchLabels": {"team": "a"}}}),
    ({"repartitionEnabled": True}, {"repartition": {"enabled": True}}),
    ({"repartitionApproval": "Auto"}, {"repartition": {"approval": "Auto"}}),
    ({"maxParallelNodes": 2}, {"repartition": {"maxParallelNodes": 2}}),
    ({"maxUnavailablePods": 0}, {"repartition": {"maxUnavailablePods": 0}}),
    ({"cooldown": "1h"}, {"repartition": {"cooldown": "1h"}}),
    ({"windows": [WINDOW]}, {"repartition": {"windows": [WINDOW]}}),
    *(
        (same, same)
        for same in (
            {"scorer": "fgd"},
            {"allowedModes": ["CPX/NPS4"]},
            {"validatedOnly": False},
            {"binding": "DevicePlugin"},
            {"rollout": "Handover"},
            {"whenFull": "ReleaseForAutoscaler"},
            {"onUnhealthy": "Replace"},
            {"qosClasses": CLASSES},
            {"quotas": QUOTAS},
            {"paused": True},
        )
    ),
]


@pytest.mark.parametrize(("flat", "nested"), ROWS, ids=[" ".join(flat) for flat, _ in ROWS])
def test_a_field_has_its_place(flat: dict[str, Any], nested: dict[str, Any]) -> None:
    spoke, hub = flat_policy(**flat), hub_policy(**nested)
    assert to_hub(spoke) == to_hub(to_spoke(hub))
    assert to_spoke(hub)["spec"] == to_spoke(to_hub(spoke))["spec"]
    assert (flat.items() <= to_spoke(hub)["spec"].items(), stash_of(to_spoke(hub))) == (True, None)


def test_expressions_of_a_selector_are_kept() -> None:
    hub = hub_policy(nodeSelector={"matchExpressions": EXPRESSIONS, "matchLabels": {"a": "b"}})
    spoke = to_spoke(hub)
    assert stash_of(spoke) == {"nodeSelector.matchExpressions": {"is": EXPRESSIONS}}
    spoke["spec"] = spoke["spec"] | {"nodeLabels": {"c": "d"}}
    assert to_hub(spoke)["spec"]["nodeSelector"] == {"matchExpressions": EXPRESSIONS, "matchLabels": {"c": "d"}}


def test_a_policy_that_says_nothing_converts() -> None:
    bare = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", "metadata": {"name": "p"}}
    assert to_spoke(bare)["spec"] == to_spoke(hub_policy())["spec"]
    assert [found["name"] for found in to_spoke(bare)["spec"]["qosClasses"]] == ["realtime", "standard", "batch"]

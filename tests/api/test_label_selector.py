"""Label selectors decide as Kubernetes does."""

from typing import Any

import pytest

from api.label_selector import LabelSelector

LABELS = {"zone": "a", "gpu": "mi300x"}


@pytest.mark.parametrize(
    ("selector", "want"),
    [
        pytest.param({}, True, id="an empty selector selects all"),
        pytest.param({"matchLabels": {"zone": "a"}}, True, id="an equal label"),
        pytest.param({"matchLabels": {"zone": "a", "x": "y"}}, False, id="every label must be there"),
        pytest.param({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}, True, id="in"),
        pytest.param({"matchExpressions": [{"key": "x", "operator": "In", "values": ["a"]}]}, False, id="in, absent"),
        pytest.param({"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}, False, id="not in"),
        pytest.param(
            {"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["a"]}]}, True, id="not in, absent"
        ),
        pytest.param({"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}, True, id="exists"),
        pytest.param({"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}, False, id="does not exist"),
        pytest.param(
            {"matchLabels": {"zone": "a"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]},
            False,
            id="labels and expressions must both hold",
        ),
    ],
)
def test_matches(selector: dict[str, Any], want: bool) -> None:
    assert LabelSelector.model_validate(selector).matches(LABELS) is want

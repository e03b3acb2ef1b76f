from typing import Any

import pytest

from api.v1beta1 import GPUSharingPolicy
from controller.translate.guarantees import promised, shared_bound
from tests.builders.inference_service import inference_service
from tests.builders.policy import policy_object


@pytest.mark.parametrize(
    ("qos", "want"),
    [
        pytest.param({}, 0, id="nothing said"),
        pytest.param({"guarantees": {"maxConcurrency": 4}}, 0, id="a maximum alone"),
        pytest.param({"guarantees": {"minConcurrency": 3}}, 3, id="a minimum"),
    ],
)
def test_a_service_is_promised_its_minimum(qos: dict[str, Any], want: int) -> None:
    assert promised(inference_service(qos=qos)) == want


def test_no_service_is_promised_nothing() -> None:
    assert promised(None) == 0


def policy(name: str, bound: int | None, year: int, team: str | None = None) -> GPUSharingPolicy:
    labels = {"team": team} if team else {}
    spec: dict[str, Any] = {"sharedConcurrency": bound} if bound else {}
    made = policy_object(name, namespace_labels=labels, created=f"{year}-01-01T00:00:00Z", **spec)
    return GPUSharingPolicy.model_validate(made)


OLD, NEW, FOREIGN = policy("old", 8, 2024), policy("new", 4, 2025), policy("foreign", 1, 2020, "b")
SILENT = policy("silent", None, 2023)


@pytest.mark.parametrize(
    ("named", "policies", "want"),
    [
        pytest.param(None, (), None, id="no policy"),
        pytest.param(None, (FOREIGN,), None, id="another team's alone"),
        pytest.param(None, (NEW, OLD, FOREIGN), 8, id="the oldest that is for the namespace"),
        pytest.param("new", (NEW, OLD), 4, id="the one that is named"),
        pytest.param("gone", (NEW, OLD), 8, id="the oldest, for one that is not there"),
        pytest.param("foreign", (NEW, FOREIGN), 4, id="the oldest, for one that is another team's"),
        pytest.param(None, (OLD, SILENT), None, id="an older one that bounds nothing"),
    ],
)
def test_the_bound_is_that_of_the_policy_by_which_the_gateway_serves(
    named: str | None, policies: tuple[GPUSharingPolicy, ...], want: int | None
) -> None:
    assert shared_bound(named, {"team": "a"}, policies) == want

from typing import Any

import pytest

from controller.cli.pod_template import as_stored
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import PodSpec, ResourceRequirements


def asking(**amounts: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "resources": {"requests": amounts}}]}


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(asking(cpu=2, memory="1Gi"), asking(cpu="2", memory="1Gi"), id="a whole number"),
        pytest.param(asking(cpu=0.5), asking(cpu="0.5"), id="a fraction"),
        pytest.param(asking(cpu=None), asking(), id="a quantity without a value"),
        pytest.param({"overhead": {"cpu": 1}}, {"overhead": {"cpu": "1"}}, id="overhead"),
        pytest.param({"nodeSelector": None, "priority": 7}, {"priority": 7}, id="an empty field of a rendered chart"),
        pytest.param(
            {"containers": [{"name": "main", "env": None, "resources": {"limits": None}}]},
            {"containers": [{"name": "main", "resources": {}}]},
            id="empty fields further in",
        ),
    ],
)
def test_a_template_as_the_api_server_would_store_it(given: dict[str, Any], want: dict[str, Any]) -> None:
    assert as_stored(given) == want


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"containers": [None]}, id="a container that is none"),
        pytest.param({"nodeSelector": {"gpus": 8}}, id="a label that is a number"),
        pytest.param(asking(cpu=True), id="a quantity that is a truth"),
        pytest.param({"requests": [1]}, id="a list where no list stands"),
    ],
)
def test_nothing_else_is_put_right(given: dict[str, Any]) -> None:
    assert as_stored(given) == given


def test_it_can_be_decoded_then() -> None:
    decoded = typed(as_stored(asking(cpu=2) | {"tolerations": None}), PodSpec)
    assert decoded.containers[0].resources == ResourceRequirements(requests={"cpu": "2"})

from typing import Any

import pytest

from controller.profiles.selection import Service
from controller.sizing.requirement import SizingRequest
from controller.translate.served import names_model, profiles_name, served
from tests.builders.inference_service import inference_service

NAMED = {"name": "AIM_MODEL_ID", "value": "acme/copy"}
REQUEST = SizingRequest("Qwen/Qwen3-4B")


@pytest.mark.parametrize(
    ("predictor", "want"),
    [
        pytest.param(None, False, id="no predictor"),
        pytest.param({"containers": [{"name": "main", "env": [{"name": "HOME", "value": "/"}]}]}, False, id="another"),
        pytest.param({"containers": [{"name": "side"}, {"name": "main", "env": [NAMED]}]}, True, id="any container"),
        pytest.param({"model": {"env": [NAMED]}}, True, id="KServe's model"),
        pytest.param({"containers": ["no container"], "model": {"env": ["no variable"]}}, False, id="nonsense"),
    ],
)
def test_who_decides_what_is_loaded(predictor: dict[str, Any] | None, want: bool) -> None:
    assert names_model(inference_service(predictor=predictor)) is want


def test_what_a_pod_serves_is_its_services_matter() -> None:
    two = inference_service(gpuSharing={"partition": {"count": 2}}, predictor={"model": {"env": [NAMED]}})
    assert served(REQUEST, two) == Service(REQUEST, names_model=True, count=2)
    assert served(REQUEST, None) == Service(REQUEST, count=1)


def test_the_longest_name_of_a_service_leaves_room() -> None:
    assert len(profiles_name("x" * 53)) <= 253

from typing import Any

import pytest

from controller.translate.predictor import brings_engine
from tests.builders.inference_service import inference_service


@pytest.mark.parametrize(
    ("predictor", "want"),
    [
        pytest.param(None, False, id="no predictor"),
        pytest.param({"timeout": 60, "containers": []}, False, id="settings alone"),
        pytest.param({"containers": [{"name": "main"}]}, True, id="containers"),
        pytest.param({"model": {"modelFormat": {"name": "vllm"}}}, True, id="an implementation of KServe's"),
    ],
)
def test_who_says_what_runs(predictor: dict[str, Any] | None, want: bool) -> None:
    assert brings_engine(inference_service(predictor=predictor)) is want

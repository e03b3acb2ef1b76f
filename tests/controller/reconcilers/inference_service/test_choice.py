from typing import Any

import pytest

from api.v1beta1.inference_service import Backend
from controller.reconcilers.inference_service.choice import backend_of
from tests.builders.inference_service import inference_service

OURS = {"metadata": {"name": "chat", "ownerReferences": [{"uid": "uid-chat"}]}}
FOREIGN = {"metadata": {"name": "chat", "ownerReferences": [{"uid": "uid-other"}]}}
DEPLOYMENT, KSERVE = Backend.DEPLOYMENT, Backend.KSERVE


@pytest.mark.parametrize(
    ("served", "want"),
    [
        pytest.param(True, KSERVE, id="KServe is there"),
        pytest.param(False, DEPLOYMENT, id="it is not"),
        pytest.param(None, None, id="nobody knows yet"),
    ],
)
def test_a_new_service(served: bool | None, want: Backend | None) -> None:
    assert backend_of(inference_service(), None, None, served=served) is want


@pytest.mark.parametrize("served", [True, False, None])
@pytest.mark.parametrize("chosen", ["kserve", "deployment"])
def test_a_choice_stays_whatever_comes_or_goes(chosen: str, served: bool | None) -> None:
    service = inference_service(status={"backend": chosen})
    assert backend_of(service, OURS, OURS, served=served) == chosen


@pytest.mark.parametrize(
    ("deployment", "kserve", "served", "want"),
    [
        pytest.param(OURS, None, True, DEPLOYMENT, id="a Deployment runs it already"),
        pytest.param(None, OURS, False, KSERVE, id="KServe runs it already"),
        pytest.param(FOREIGN, FOREIGN, True, KSERVE, id="others of that name do not count"),
    ],
)
def test_a_choice_that_was_lost_is_read_from_what_runs(
    deployment: dict[str, Any] | None, kserve: dict[str, Any] | None, served: bool, want: Backend
) -> None:
    assert backend_of(inference_service(), deployment, kserve, served=served) is want

"""What all models share: names on the wire, absent values, times."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from api.formats import rfc3339
from api.object import Condition, ObjectMeta, dump, json_name
from api.v1beta1 import InferenceService
from api.v1beta1.gpu_layout import Layout
from api.v1beta1.gpu_node import NodeOperation

SERVICE: dict[str, Any] = {"metadata": {"name": "chat"}, "spec": {"model": {"id": "Qwen/Qwen3-8B"}}}
LAYOUT = {"gpus": [{"bdf": "0000:05:00.0", "mode": "SPX/NPS1"}]}


@pytest.mark.parametrize(
    ("field", "want"), [("kv_bytes_per_token", "kvBytesPerToken"), ("from_", "from"), ("class_", "class")]
)
def test_names_on_the_wire_are_camel_case_without_keyword_underscores(field: str, want: str) -> None:
    assert json_name(field) == want


def test_a_model_is_made_by_either_name() -> None:
    layout = Layout.model_validate(LAYOUT)
    made = NodeOperation(id="a", from_=layout, to=layout)
    assert made == NodeOperation.model_validate({"id": "a", "from": LAYOUT, "to": LAYOUT})


def test_null_counts_as_absent_as_in_the_api_server() -> None:
    with_null = {"metadata": {"name": "chat", "labels": None}, "spec": SERVICE["spec"] | {"gpuSharing": None}}
    assert InferenceService.model_validate(with_null) == InferenceService.model_validate(SERVICE)


def test_unknown_fields_are_dropped_on_read() -> None:
    read = InferenceService.model_validate(SERVICE | {"spec": SERVICE["spec"] | {"later": 1}})
    assert "later" not in dump(read)["spec"]


def test_a_passed_through_object_keeps_its_nulls_and_unknown_fields() -> None:
    predictor = {"containers": [{"name": "a", "args": None}], "minReplicas": 1}
    read = InferenceService.model_validate({"spec": {"model": {"id": "m"}, "predictor": predictor}})
    assert dump(read)["spec"]["predictor"] == predictor


def test_models_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        InferenceService.model_validate(SERVICE).metadata.name = "other"


def test_empty_metadata_is_not_written() -> None:
    assert dump(ObjectMeta(name="chat")) == {"name": "chat"}


def test_times_are_written_in_utc() -> None:
    read = Condition.model_validate(
        {"type": "Ready", "status": "True", "reason": "A", "lastTransitionTime": "2026-01-02T05:00:00+02:00"}
    )
    assert dump(read)["lastTransitionTime"] == "2026-01-02T03:00:00Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 1, 2))  # noqa: DTZ001 - the case under test
    assert rfc3339(datetime(2026, 1, 2, 0, 0, 0, 5, tzinfo=UTC)) == "2026-01-02T00:00:00.000005Z"

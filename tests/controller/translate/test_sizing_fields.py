from typing import Any

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest
from controller.state.models import ProfileNotFound
from controller.translate.sizing_fields import ANNOTATION_OF, FIELD_OF, sizing_problem

REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    ({"model_id": "Qwen/Qwen3-9B"}, "spec.model.id", "aim.amd.com/model-id"),
    ({"precision": Precision.MXFP4}, "spec.model.precision", "aim.amd.com/precision"),
    ({"max_model_len": 10**6}, "spec.model.maxModelLen", "aim.amd.com/max-model-len"),
    ({"max_concurrency": 0}, "spec.model.maxConcurrency", "aim.amd.com/max-concurrency"),
]


@pytest.mark.parametrize(("asked", "field", "annotation"), REQUESTS)
def test_sizing_errors_are_told_in_the_users_words(asked: dict[str, Any], field: str, annotation: str) -> None:
    with pytest.raises(SizingError) as caught:
        ModelSizingConfig(Catalog.bundled()).size(SizingRequest(**{"model_id": "Qwen/Qwen3-8B", **asked}))
    for places, want in ((FIELD_OF, field), (ANNOTATION_OF, annotation)):
        problem = sizing_problem(caught.value, places)
        assert (problem.field, problem.value) == (want, str(*asked.values()))
        assert caught.value.remedy in problem.remedy


def test_a_profile_is_named_where_the_user_named_it() -> None:
    for places, want in ((FIELD_OF, "spec.model.profileRef"), (ANNOTATION_OF, "aim.amd.com/model-profile")):
        assert sizing_problem(ProfileNotFound("mine"), places).field == want

"""What belongs into a ConfigMap of profiles, and what stays of before."""

import pytest

from api.v1beta1 import GPUPartitionClaim
from controller.profiles.selection import Service
from controller.reconcilers.profile_map.files import Inputs, file_of, files_for, in_use
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import SizingRequest
from controller.state.models import Models
from tests.builders.claim import bound_claim

MODELS = Models(Catalog.bundled())


def inputs(model: str = "Qwen/Qwen3-4B", *products: str) -> Inputs:
    return Inputs(Service(SizingRequest(model), count=1), None, frozenset(products), 1)


def products(files: dict[str, str] | None) -> set[str]:
    return {name.split("-")[1] for name in files or {}}


def test_they_are_for_the_products_that_are_here_and_for_all_before_one_is() -> None:
    assert products(files_for(MODELS, inputs("Qwen/Qwen3-4B", "MI300X", "MI210"))) == {"mi300x", "mi210"}
    assert {"mi300x", "mi325x", "mi355x"} <= products(files_for(MODELS, inputs()))


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        pytest.param(inputs("acme/new"), None, id="a model that nobody knows: whatever there was"),
        pytest.param(Inputs(None, None, frozenset(), 1), None, id="nobody knows what is served: the same"),
        pytest.param(inputs("deepseek-ai/DeepSeek-R1", "MI300X"), {}, id="one that fits nowhere has none"),
    ],
)
def test_models_without_profiles(asked: Inputs, want: dict[str, str] | None) -> None:
    assert files_for(MODELS, asked) == want


def test_only_files_of_placements_are_in_use() -> None:
    held, plain = bound_claim(), bound_claim("aim-b")
    held["status"]["allocation"]["profile"] = "custom/general/a"
    claims = [GPUPartitionClaim.model_validate(one) for one in (held, plain)]
    assert in_use({"a.yaml": "1", "b.yaml": "2"}, claims) == {"a.yaml": "1"}


def test_a_profiles_file_is_named_as_the_last_part_of_its_id() -> None:
    assert file_of("custom/general/vllm-a") == "vllm-a.yaml"

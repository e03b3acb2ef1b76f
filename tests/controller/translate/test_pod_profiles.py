"""The ConfigMap of an annotated pod, by what it asks for: the same name in every replica and every version."""

import pytest

from controller.profiles.selection import Service
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.translate.pod_profiles import is_pods_map, mounted_map, pods_map, served_from
from controller.translate.request import PodRequest
from controller.translate.served import profiles_name
from tests.builders.pod import pod_spec

SIZING = SizingRequest("Qwen/Qwen3-8B", Precision.BF16, 8192, 4)
REQUEST = PodRequest(SIZING, frozenset(), None)
NAME = "aim-profiles-66dfaa9a0260547da0f2"


def test_the_name_never_changes_since_pods_carry_it_for_as_long_as_they_live() -> None:
    assert pods_map(REQUEST, names_model=False) == NAME


@pytest.mark.parametrize("names_model", [False, True])
def test_what_a_pod_serves_can_be_told_from_the_name(names_model: bool) -> None:
    name = pods_map(REQUEST, names_model=names_model)
    assert served_from(REQUEST, name) == Service(SIZING, names_model=names_model, count=1)


def test_a_name_for_something_else_tells_nothing() -> None:
    assert served_from(REQUEST, "aim-profiles-0123456789abcdef0123") is None
    assert served_from(REQUEST, None) is None


def test_the_ones_of_services_are_told_apart() -> None:
    assert is_pods_map(NAME)
    assert not any(map(is_pods_map, (profiles_name("chat"), profiles_name(NAME), "aim-profiles-mine")))


@pytest.mark.parametrize(
    ("volumes", "want"),
    [
        pytest.param([{"name": "aim-profiles", "configMap": {"name": NAME}}], NAME, id="ours"),
        pytest.param([{"name": "cache", "configMap": {"name": NAME}}], None, id="another volume"),
        pytest.param([{"name": "aim-profiles", "emptyDir": {}}], None, id="our name for something else"),
    ],
)
def test_the_volume_says_which_one_is_mounted(volumes: list[dict[str, object]], want: str | None) -> None:
    assert mounted_map(pod_spec(volumes=volumes)) == want

from typing import Any

import pytest

from controller.runtime.objects.conversion import typed
from controller.runtime.objects.pod import Container, Pod, PodSpec


def test_a_dict_becomes_the_struct_and_what_no_field_names_is_dropped() -> None:
    made = {"metadata": {"name": "a", "managedFields": [{}]}, "spec": {"nodeName": "n", "volumes": [{"name": "v"}]}}
    found = typed(made, Pod)
    assert (found.metadata.name, found.spec) == ("a", PodSpec(node_name="n"))
    assert made["spec"] == {"nodeName": "n", "volumes": [{"name": "v"}]}


def test_a_part_alone_will_do() -> None:
    assert typed({"containers": [{"name": "main"}]}, PodSpec).containers == (Container(name="main"),)


@pytest.mark.parametrize(
    ("obj", "want"),
    [
        pytest.param({"priority": "7"}, r"no PodSpec: Expected `int`, got `str` - at `\$.priority`", id="a type"),
        pytest.param({"containers": [{}]}, r"missing required field `name` - at `\$.containers\[0\]`", id="a name"),
        pytest.param({"nodeSelector": {"a": 1}}, r"Expected `str`, got `int` - at `\$.nodeSelector", id="a label"),
    ],
)
def test_what_does_not_fit_is_named(obj: dict[str, Any], want: str) -> None:
    with pytest.raises(ValueError, match=want):
        typed(obj, PodSpec)

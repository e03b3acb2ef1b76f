"""Requests name objects."""

import pytest

from controller.runtime.reconcile import Request


@pytest.mark.parametrize(
    ("key", "want"),
    [
        pytest.param("ns/name", Request("ns", "name"), id="namespaced"),
        pytest.param("name", Request("", "name"), id="cluster scope"),
    ],
)
def test_a_key_there_and_back(key: str, want: Request) -> None:
    assert Request.of(key) == want
    assert want.key == str(want) == key

"""What objects and namespaces can be called."""

import pytest

from controller.cli.names import is_namespace_name, is_object_name


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a.", "a/b", "a b"])
def test_names_of_another_form_are_told_apart(name: str) -> None:
    assert not is_object_name(name)
    assert not is_namespace_name(name)


@pytest.mark.parametrize(
    ("name", "of_namespace"), [("a", True), ("a-1", True), ("a.b", False), ("a" * 63, True), ("a" * 64, False)]
)
def test_a_namespace_has_one_label_of_a_name(name: str, of_namespace: bool) -> None:
    assert is_object_name(name)
    assert is_namespace_name(name) is of_namespace

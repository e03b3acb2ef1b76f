"""Metadata that the API server would refuse is named with field, value and remedy."""

from pathlib import Path
from typing import Any

import pytest

from controller.cli.documents import BadInput, Document
from controller.cli.object_metadata import check_metadata


def document(metadata: Any, **spec: Any) -> Document:
    return Document(Path("a.yaml"), {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


REFUSED = [
    pytest.param(document({"name": "S_1"}), ["metadata.name", "'S_1'", "lower-case letters"], id="an underscore"),
    pytest.param(document({"name": ""}), ["metadata.name", "''", "lower-case"], id="no name"),
    pytest.param(document({"name": "a" * 254}), ["metadata.name", "253"], id="too long a name"),
    pytest.param(document({"name": "a", "namespace": "De_F"}), ["metadata.namespace", "'De_F'"], id="a namespace in capitals"),
    pytest.param(document({"name": "a", "labels": ["x"]}), ["metadata.labels", "is no map"], id="labels in a list"),
    pytest.param(document({"name": "a", "annotations": {"k": 1}}), ["metadata.annotations.k", "1", 'put it in quotes: "1"'], id="a number for a text"),
    pytest.param(document({"name": "a"}, template={"metadata": {"annotations": {"aim.amd.com/gang-size": 4}}}), ["spec.template.metadata.annotations.aim.amd.com/gang-size", 'put it in quotes: "4"'], id="a number in a pod template"),
    pytest.param(document({"name": "a"}, template={"metadata": {"annotations": {"k": True}}}), ["annotations.k", 'put it in quotes: "true"'], id="a truth in a pod template"),
    pytest.param(document({"name": "a"}, template={"metadata": "x"}), ["spec.template.metadata", "is no map"], id="metadata of text"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_what_no_object_can_have_is_refused(given: Document, words: list[str]) -> None:
    with pytest.raises(BadInput) as caught:
        check_metadata(given)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_good_metadata_passes() -> None:
    check_metadata(document({"name": "a.b-1", "namespace": "n", "labels": {"k": "v"}}, template={"metadata": None}))

"""What OLM v1 says of the bundle's CRDs, by the program that it asks, on the way from the last release."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from e2e.olm import Crdify, Unreadable
from tests.olm.planting import BUNDLE
from tests.olm.test_crd_safety import (
    BUNDLED,
    REFUSED_BY_OLM,
    Definition,
    fields,
    newest_release,
    removed_version,
    spec_of,
)

SERVICES = "inferenceservices.aim.amd.com"


def file_of(folder: Path, definition: Definition) -> Path:
    path = folder / f"{definition['metadata']['name']}.yaml"
    path.write_text(yaml.safe_dump(definition), encoding="utf-8")
    return path


def services() -> Definition:
    return deepcopy(next(each for each in BUNDLED if each["metadata"]["name"] == SERVICES))


def refused(crdify: Crdify, folder: Path, change: Callable[[Definition], object]) -> str:
    """What is said when the service's definition changes so."""
    before, after = folder / "before", folder / "after"
    before.mkdir()
    after.mkdir()
    changed = services()
    change(changed)
    return "\n".join(crdify.refused(file_of(before, services()), file_of(after, changed)))


@pytest.mark.parametrize("path", sorted((newest_release() / "crds").glob("*.yaml")), ids=lambda path: path.stem)
def test_olm_v1_lets_the_definitions_of_the_last_release_be_replaced(crdify: Crdify, path: Path) -> None:
    group, plural = path.stem.rsplit("_", 1)
    assert crdify.refused(path, BUNDLE / f"manifests/{plural}.{group}.crd.yaml") == []


STORED_ONLY = {removed_version}
"""OLM v1 refuses it of a version that a cluster's status says is stored: a file has no status."""


@pytest.mark.parametrize(
    "change", [pytest.param(row[0], id=row[0].__name__) for row in REFUSED_BY_OLM if row[0] not in STORED_ONLY]
)
def test_what_ours_refuses_olm_v1_refuses(
    crdify: Crdify, tmp_path: Path, change: Callable[[Definition], object]
) -> None:
    assert refused(crdify, tmp_path, change)


def another_rule(definition: Definition) -> None:
    rules = spec_of(definition).setdefault("x-kubernetes-validations", [])
    rules.append({"rule": "!has(self.qos) || true", "message": "never"})


def another_description(definition: Definition) -> None:
    fields(definition)["qos"]["description"] = "In other words."


def another_field(definition: Definition) -> None:
    fields(definition)["another"] = {"type": "string", "description": "New and optional."}


def higher_maximum(definition: Definition) -> None:
    fields(definition)["replicas"]["maximum"] += 1


def one_choice_more(definition: Definition) -> None:
    fields(definition)["model"]["properties"]["precision"]["enum"].append("fp2")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=change.__name__)
        for change in (another_description, another_field, higher_maximum, one_choice_more)
    ],
)
def test_what_breaks_nobody_olm_v1_lets_pass(
    crdify: Crdify, tmp_path: Path, change: Callable[[Definition], object]
) -> None:
    assert refused(crdify, tmp_path, change) == ""


def one_rule_less(definition: Definition) -> None:
    model = fields(definition)["model"]["properties"]["id"]
    assert model.pop("x-kubernetes-validations")


@pytest.mark.parametrize("change", [another_rule, one_rule_less], ids=lambda change: change.__name__)
def test_olm_v1_refuses_what_it_does_not_know_even_if_it_breaks_nobody(
    crdify: Crdify, tmp_path: Path, change: Callable[[Definition], object]
) -> None:
    assert "unhandled" in refused(crdify, tmp_path, change)


def test_what_is_no_definition_is_no_pass(crdify: Crdify, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(Unreadable):
        crdify.refused(tmp_path / "empty.yaml", tmp_path / "none.yaml")

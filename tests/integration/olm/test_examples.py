"""The examples that consoles offer, and the CRDs of the bundle, on a real API server."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from e2e.plane import Admin, AdminError, Plane
from olm.files import bundle
from olm.sources import examples

pytestmark = pytest.mark.plane

MANAGER = "?fieldManager=console&fieldValidation=Strict&dryRun=All"


def without_conversion(crd: dict[str, Any]) -> dict[str, Any]:
    """As no operator answers here; each version is judged by its own schema, as it would be before it is converted."""
    plain = deepcopy(crd)
    plain["spec"].pop("conversion", None)
    return plain


@pytest.fixture(scope="module")
def admin() -> Iterator[Admin]:
    """Of a plane of its own, which has nothing but the bundle's CRDs: no guard says who may make what."""
    with Plane() as plane:
        crds = bundle().crds
        plane.admin.apply(map(without_conversion, crds))
        wanted = {
            (crd["spec"]["group"], version["name"], crd["spec"]["names"]["plural"])
            for crd in crds
            for version in crd["spec"]["versions"]
        }
        plane.wait_until(lambda: wanted <= plane.admin.discovered(), "the CRDs are served")
        yield plane.admin


@pytest.mark.parametrize("example", examples(), ids=lambda each: f"{each['kind']} {each['apiVersion'][-8:]}")
def test_an_example_is_accepted_as_it_stands(admin: Admin, example: dict[str, Any]) -> None:
    made = admin.create(admin.path_of(example).rsplit("/", 1)[0] + MANAGER, example)
    assert made["metadata"]["name"] == example["metadata"]["name"]


def test_a_field_that_a_kind_has_not_would_be_refused(admin: Admin) -> None:
    wrong = deepcopy(examples()[0])
    wrong["spec"]["modell"] = wrong["spec"].pop("model")
    with pytest.raises(AdminError, match="modell"):
        admin.create(admin.path_of(wrong).rsplit("/", 1)[0] + MANAGER, wrong)

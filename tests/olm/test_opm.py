"""opm reads the committed catalogue as it is meant, and refuses what is planted in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml

from e2e.olm import Opm, Refused
from olm.catalogue import IMAGE, catalogue, self_contained
from olm.files import bundle
from olm.sources import PACKAGE
from tests.olm.planting import BUNDLE, CATALOGUE, Json, catalogue_with
from tests.olm.versions import following


def test_the_committed_catalogue_is_valid(opm: Opm) -> None:
    opm.validate(CATALOGUE)


def test_the_catalogue_shows_the_bundle_as_opm_renders_it(opm: Opm) -> None:
    (path,) = CATALOGUE.rglob("*.yaml")
    committed = [
        each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each["schema"] == "olm.bundle"
    ]
    assert opm.rendered(BUNDLE, f"{IMAGE}:v{{{{.Version}}}}") == committed


@pytest.mark.parametrize("write", [catalogue, self_contained])
def test_a_catalogue_of_two_versions_is_valid(opm: Opm, tmp_path: Path, write: Callable[..., list[Json]]) -> None:
    first = bundle()
    (tmp_path / "catalog.yaml").write_text(yaml.safe_dump_all(write([first, following(first)])), encoding="utf-8")
    opm.validate(tmp_path)


def document(documents: list[Json], schema: str) -> Json:
    (found,) = (each for each in documents if each["schema"] == schema)
    return found


def properties(documents: list[Json]) -> list[Json]:
    return document(documents, "olm.bundle")["properties"]  # type: ignore[no-any-return]


def of_package(documents: list[Json]) -> Json:
    (found,) = (each for each in properties(documents) if each["type"] == "olm.package")
    return found


def another_head(documents: list[Json]) -> None:
    name = f"{PACKAGE}.v0.3.0"
    documents.append({**document(documents, "olm.bundle"), "name": name})
    document(documents, "olm.channel")["entries"].append({"name": name})


DEFECTS: Final[dict[str, tuple[Callable[[list[Json]], object], str]]] = {
    "a default channel that is not there": (
        lambda all_: document(all_, "olm.package").update(defaultChannel="stable"),
        "stable",
    ),
    "no default channel": (lambda all_: document(all_, "olm.package").pop("defaultChannel"), "default channel"),
    "a channel of another package": (lambda all_: document(all_, "olm.channel").update(package="other"), "other"),
    "a channel without entries": (
        lambda all_: document(all_, "olm.channel").update(entries=[]),
        "not found in any channel entries",
    ),
    "an entry without bundle": (
        lambda all_: document(all_, "olm.channel")["entries"].append({"name": f"{PACKAGE}.v0.3.0"}),
        f"{PACKAGE}.v0.3.0",
    ),
    "two heads": (another_head, "multiple channel heads"),
    "a bundle that no channel has": (
        lambda all_: document(all_, "olm.channel")["entries"][0].update(name=f"{PACKAGE}.v0.1.0"),
        f'bundle \\"{PACKAGE}.v0.2.0\\" not found in any channel entries',
    ),
    "a bundle without image": (lambda all_: document(all_, "olm.bundle").pop("image"), "image must be set"),
    "a bundle without version": (lambda all_: properties(all_).remove(of_package(all_)), "olm.package"),
    "a version that is none": (lambda all_: of_package(all_)["value"].update(version="two"), "two"),
}
"""What is done to the documents, and what opm then names."""


@pytest.mark.parametrize(("spoil", "said"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_of_the_catalogue_is_noticed(
    opm: Opm, tmp_path: Path, spoil: Callable[[list[Json]], object], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        opm.validate(catalogue_with(tmp_path, spoil))
    assert said in str(refused.value)

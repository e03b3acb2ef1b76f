"""What consoles show of the operator: every field of every kind, an example of each, and nothing made up."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from api import v1alpha1, v1beta1
from api.conversion.convert import MAPPINGS, convert
from api.group import GROUP, V1ALPHA1, V1BETA1
from olm.descriptors import title
from olm.service_version import CREATED, OPERATORS_OWN, REPOSITORY, service_version
from olm.sources import ROOT, chart, examples, manifest

OBJECTS = manifest()
CSV = service_version(OBJECTS)
SPEC = CSV["spec"]
OWNED = SPEC["customresourcedefinitions"]["owned"]
SCHEMAS = {
    (crd["spec"]["names"]["kind"], version["name"]): version["schema"]["openAPIV3Schema"]
    for crd in OBJECTS
    if crd["kind"] == "CustomResourceDefinition"
    for version in crd["spec"]["versions"]
}


def paths(schema: Any, before: str = "") -> Iterator[str]:
    """Every field by the path by which consoles find it."""
    for name, field in schema.get("properties", {}).items():
        yield before + name
        yield from paths(field, f"{before}{name}.")
        yield from paths(field.get("items", {}), f"{before}{name}[0].")


def test_every_version_of_every_kind_is_owned() -> None:
    assert sorted((each["kind"], each["version"]) for each in OWNED) == sorted(SCHEMAS)


@pytest.mark.parametrize("owned", OWNED, ids=lambda owned: f"{owned['kind']} {owned['version']}")
@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_is_described_in_words(owned: dict[str, Any], part: str) -> None:
    schema = SCHEMAS[owned["kind"], owned["version"]]["properties"][part]
    told = owned[f"{part}Descriptors"]
    own = tuple(OPERATORS_OWN.get(owned["kind"], ())) if part == "spec" else ()
    assert [each["path"] for each in told] == [path for path in paths(schema) if not path.startswith(own)]
    assert [each["path"] for each in told if not each["description"] or not each["displayName"]] == []
    assert len(told) > (2 if part == "spec" else 0)


def test_no_form_is_offered_for_what_the_operator_alone_writes() -> None:
    said = {
        (kind, name)
        for (kind, _), schema in SCHEMAS.items()
        for name, field in schema["properties"]["spec"]["properties"].items()
        if re.search(r"operator alone writes", field.get("description", ""))
    }
    assert said == {(kind, name) for kind, names in OPERATORS_OWN.items() for name in names}
    offered = {(owned["kind"], each["path"]) for owned in OWNED for each in owned["specDescriptors"]}
    assert {(kind, path) for kind, path in offered if path.startswith(OPERATORS_OWN.get(kind, ("-",)))} == set()
    assert ("GPUNode", "quarantine[0].reason") in offered


def test_where_the_command_of_the_removal_is_from_is_told() -> None:
    page = (ROOT / "docs/olm.md").read_text(encoding="utf-8")
    assert "docs/olm.md#the-command-aim-gpu)" in SPEC["description"]
    assert "\n## The command aim-gpu\n" in page


def test_the_level_is_one_that_was_shown() -> None:
    assert (SPEC["maturity"], CSV["metadata"]["annotations"]["capabilities"]) == ("alpha", "Seamless Upgrades")


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("model.maxModelLen", "Max Model Len"),
        ("memoryGB", "Memory GB"),
        ("status.gpus[0].bdf", "Bdf"),
        ("nps4", "Nps4"),
    ],
)
def test_a_fields_name_becomes_words(path: str, want: str) -> None:
    assert title(path) == want


def test_no_letter_of_a_name_is_lost() -> None:
    told = [each for owned in OWNED for part in ("spec", "status") for each in owned[f"{part}Descriptors"]]
    for each in told:
        assert each["displayName"].replace(" ", "").lower() == each["path"].rsplit(".", 1)[-1].lower()


def test_there_is_one_example_of_every_version_of_every_kind() -> None:
    shown = json.loads(CSV["metadata"]["annotations"]["alm-examples"])
    assert shown == examples()
    assert sorted((each["kind"], each["apiVersion"].removeprefix(f"{GROUP}/")) for each in shown) == sorted(SCHEMAS)


@pytest.mark.parametrize("example", examples(), ids=lambda each: f"{each['kind']} {each['apiVersion'][-8:]}")
def test_an_example_is_what_its_type_reads_and_converts(example: dict[str, Any]) -> None:
    version = example["apiVersion"].removeprefix(f"{GROUP}/")
    types = {V1ALPHA1: v1alpha1, V1BETA1: v1beta1}[version]
    getattr(types, example["kind"]).model_validate(example)
    if example["kind"] in MAPPINGS:
        other = {V1ALPHA1: V1BETA1, V1BETA1: V1ALPHA1}[version]
        (there,) = convert(f"{GROUP}/{other}", [example])
        (back,) = convert(example["apiVersion"], [there])
        assert convert(f"{GROUP}/{other}", [back]) == [there]


def test_the_model_of_the_example_is_served_by_the_operators_engine() -> None:
    (shown,) = [
        each for each in examples() if each["kind"] == "InferenceService" and each["apiVersion"].endswith(V1BETA1)
    ]
    assert "predictor" not in shown["spec"]


def test_name_version_image_and_kubernetes_are_the_charts() -> None:
    version = chart()["version"]
    assert (CSV["metadata"]["name"], SPEC["version"]) == (f"aim-gpu-sharing.v{version}", version)
    image = CSV["metadata"]["annotations"]["containerImage"]
    assert image.endswith(f":{chart()['appVersion']}")
    (deployment,) = SPEC["install"]["spec"]["deployments"]
    assert {each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]} == {image}
    assert chart()["kubeVersion"] == f">={SPEC['minKubeVersion']}-0"


def day_of(changelog: str, version: str) -> str | None:
    """The day on which a version was released; None before."""
    found = re.search(rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)$", changelog, re.MULTILINE)
    return found and found[1]


def test_a_released_bundle_was_made_on_the_day_of_the_changelog() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", CREATED)
    day = day_of((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), SPEC["version"])
    assert CREATED.startswith(day or "")


def test_the_day_of_a_release_is_read() -> None:
    changelog = "## [0.3.0] - Unreleased\n## [0.2.0] - 2027-01-31\n"
    assert [day_of(changelog, version) for version in ("0.3.0", "0.2.0")] == [None, "2027-01-31"]


def test_links_into_the_repository_lead_to_files() -> None:
    pages = [link["url"].removeprefix(f"{REPOSITORY}/blob/main/") for link in SPEC["links"] if "/blob/" in link["url"]]
    assert pages
    assert [page for page in pages if not (ROOT / page).is_file()] == []


def test_what_must_be_applied_first_is_named_by_its_file() -> None:
    version = SPEC["version"]
    assert f"kubectl apply -f {REPOSITORY}/raw/v{version}/olm/cluster-objects.yaml" in SPEC["description"]
    assert (ROOT / "olm/cluster-objects.yaml").is_file()


def test_every_container_says_what_it_requests() -> None:
    (deployment,) = SPEC["install"]["spec"]["deployments"]
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}

"""The definitions: complete, structural, and equal to the committed files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.openapi import crd
from api.openapi.kind import KINDS

COMMITTED = Path(__file__).parents[3] / "charts/aim-gpu-sharing/files/crds"
DEFINITIONS = {definition["spec"]["names"]["kind"]: definition for definition in crd.crds()}
KIND_NAMES = list(DEFINITIONS)


def version(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = DEFINITIONS[kind]["spec"]["versions"][0]
    return found


def nodes(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of a kind's schema, with its path."""

    def below(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield path, schema
        for name, child in schema.get("properties", {}).items():
            yield from below(child, f"{path}.{name}")
        for part in ("items", "additionalProperties"):
            if part in schema:
                yield from below(schema[part], f"{path}[]")

    yield from below(version(kind)["schema"]["openAPIV3Schema"], kind)


def at(kind: str, path: str) -> dict[str, Any]:
    return dict(nodes(kind))[f"{kind}.{path}"]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_field_is_described(kind: str) -> None:
    missing = [
        path
        for path, schema in nodes(kind)
        if not schema.get("description") and not path.endswith("[]") and path != f"{kind}.metadata"
    ]
    assert missing == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_schema_is_structural(kind: str) -> None:
    allowed_elsewhere = {"$ref", "$defs", "anyOf", "allOf", "oneOf", "not", "title", "examples", "const", "uniqueItems"}
    assert [path for path, schema in nodes(kind) if allowed_elsewhere & schema.keys() or "type" not in schema] == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_whatever_can_grow_is_bounded(kind: str) -> None:
    def unbounded(schema: dict[str, Any]) -> bool:
        match schema["type"]:
            case "array":
                return "maxItems" not in schema
            case "string":
                return not {"maxLength", "enum", "format"} & schema.keys()
            case "object":
                return "additionalProperties" in schema and "maxProperties" not in schema
        return False

    envelope = {f"{kind}.apiVersion", f"{kind}.kind"}
    assert [path for path, schema in nodes(kind) if path not in envelope and unbounded(schema)] == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_status_has_no_defaults(kind: str) -> None:
    assert [path for path, schema in nodes(kind) if path.startswith(f"{kind}.status") and "default" in schema] == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_conditions_are_told_apart_by_type(kind: str) -> None:
    conditions = at(kind, "status.conditions")
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_list_keys_are_required_scalars_of_the_items(kind: str) -> None:
    for path, schema in nodes(kind):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            assert key in schema["items"]["required"], path
            assert schema["items"]["properties"][key]["type"] in {"string", "integer"}, path


@pytest.mark.parametrize("kind", KINDS, ids=KIND_NAMES)
def test_columns_read_fields_that_exist(kind: Any) -> None:
    paths = {path for path, _ in nodes(kind.name)}
    for column in kind.versions["v1beta1"].columns:
        plain = re.sub(r"\[.*?\]", "[]", column.json_path)
        assert plain == ".metadata.creationTimestamp" or f"{kind.name}{plain}" in paths, column


@pytest.mark.parametrize(
    ("kind", "path", "want"),
    [
        ("InferenceService", "spec.model.precision", {"default": "auto"}),
        ("InferenceService", "status.placements[].mode", {"pattern": "^(SPX|DPX|TPX|QPX|CPX)/(NPS1|NPS2|NPS4)$"}),
        ("InferenceService", "spec.replicas", {"default": 1, "minimum": 0, "maximum": 1000}),
        ("InferenceService", "spec.predictor", {"x-kubernetes-preserve-unknown-fields": True}),
        ("InferenceService", "spec.qos", {"default": {}}),
        ("GPUSharingPolicy", "spec.repartition.cooldown", {"default": "10m"}),
        ("GPUPartitionClaim", "spec.requirement.isolation", {"enum": ["hardware", "cooperative"]}),
        ("GPUNode", "spec.managed", {"default": True}),
        ("GPUNode", "status.gpus", {"maxItems": 16}),
        ("GPUNode", "status.gpus[].partitions", {"maxItems": 8}),
        ("RepartitionPlan", "spec.approval", {"default": "Manual"}),
        ("RepartitionPlan", "status.steps", {"maxItems": 64}),
    ],
)
def test_a_node_says(kind: str, path: str, want: dict[str, Any]) -> None:
    assert want.items() <= at(kind, path).items()


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_what_users_write_has_no_pattern_without_a_remedy(kind: str) -> None:
    assert [path for path, schema in nodes(kind) if path.startswith(f"{kind}.spec") and "pattern" in schema] == []


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_every_rule_has_a_message_that_says_what_to_write_instead(kind: str) -> None:
    for path, schema in nodes(kind):
        for rule in schema.get("x-kubernetes-validations", ()):
            assert ":" in rule["message"] or "use at most" in rule["message"] or "weightsBytes" in rule["message"], path


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        ("InferenceService", ("inferenceservices", "aimisvc", "Namespaced")),
        ("GPUPartitionClaim", ("gpupartitionclaims", "gpc", "Namespaced")),
        ("GPUNode", ("gpunodes", "gpun", "Cluster")),
        ("RepartitionPlan", ("repartitionplans", "rpp", "Cluster")),
        ("GPUSharingPolicy", ("gpusharingpolicies", "gsp", "Cluster")),
        ("ModelProfile", ("modelprofiles", "aimmp", "Cluster")),
    ],
)
def test_a_kind_is_called(kind: str, want: tuple[str, str, str]) -> None:
    spec = DEFINITIONS[kind]["spec"]
    assert (spec["names"]["plural"], spec["names"]["shortNames"][0], spec["scope"]) == want


def test_one_version_is_stored_and_only_services_scale() -> None:
    for kind, definition in DEFINITIONS.items():
        assert [v["name"] for v in definition["spec"]["versions"] if v["storage"]] == ["v1beta1"]
        assert ("scale" in version(kind)["subresources"]) == (kind == "InferenceService")


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_committed_file_is_the_generated_one(kind: str) -> None:
    path = COMMITTED / crd.file_name(DEFINITIONS[kind])
    expected = crd.HEADER + crd.to_yaml(DEFINITIONS[kind])
    assert path.read_text(encoding="utf-8") == expected, (
        "generate the definitions again: python -m api.openapi.crd --out charts/aim-gpu-sharing/files/crds"
    )


def test_no_other_file_is_committed() -> None:
    assert sorted(path.name for path in COMMITTED.iterdir()) == sorted(map(crd.file_name, DEFINITIONS.values()))


def test_writing_replaces_what_is_stale_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "aim.amd.com_olds.yaml").touch()
    (tmp_path / "notes.txt").touch()
    crd.main(["--out", str(tmp_path)])
    assert not (tmp_path / "aim.amd.com_olds.yaml").exists()
    assert len(list(tmp_path.iterdir())) == len(KINDS) + 1


def test_all_of_them_are_written_as_one_text_too(tmp_path: Path) -> None:
    crd.main(["--out", str(tmp_path / "each"), "--together", str(tmp_path / "all.yaml")])
    assert list(yaml.safe_load_all((tmp_path / "all.yaml").read_text(encoding="utf-8"))) == crd.crds()


def test_the_yaml_says_the_same_without_anchors() -> None:
    for definition in DEFINITIONS.values():
        text = crd.to_yaml(definition)
        assert yaml.safe_load(text) == definition
        assert not re.search(r"[:-] [&*]id\d", text)

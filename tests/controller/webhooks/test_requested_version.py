"""Who sent the flat version is told of flat fields."""

import ast
import inspect
import re
from dataclasses import replace
from types import ModuleType

import pytest

from api.conversion.convert import MAPPINGS
from api.conversion.field_path import flat_field
from api.conversion.kind_mapping import KindMapping
from controller.translate import policy_choice, sizing_fields
from controller.webhooks import policy_validation, service_validation
from controller.webhooks.finding import Finding, refuse, warn
from controller.webhooks.requested_version import as_sent
from tests.controller.webhooks.ground import Ground

SERVICE, POLICY = MAPPINGS["InferenceService"], MAPPINGS["GPUSharingPolicy"]
ASKED = Ground.question({})
FLAT = replace(ASKED, requested_version="v1alpha1")

SENT = [
    pytest.param(refuse("R", "spec.model.id", "a/b", "lower spec.model.maxModelLen"), "spec.modelId: 'a/b' lower spec.maxModelLen (R)", id="a remedy with a path"),
    pytest.param(refuse("R", "spec.gpuSharing.partition.minMemory", "200Gi", "is too much"), "spec.memoryGB: '200' is too much (R)", id="a value in another unit"),
    pytest.param(refuse("R", "spec.qos.class", "gold", "choose one of batch"), "spec.qosClass: 'gold' choose one of batch (qosLevel high is realtime, medium is standard, low is batch) (R)", id="a class"),
    pytest.param(warn("R", "metadata.namespace", "team-a", "may use nothing"), "metadata.namespace: 'team-a' may use nothing (R)", id="metadata, which both versions share"),
]  # fmt: skip


@pytest.mark.parametrize(("finding", "want"), SENT)
def test_a_finding_is_told_in_flat_fields(finding: Finding, want: str) -> None:
    (told,) = as_sent([finding], FLAT, SERVICE)
    assert (str(told), told.refuses) == (want, finding.refuses)


@pytest.mark.parametrize("version", ["v1beta1", ""])
def test_who_sent_the_hub_version_is_told_of_its_fields(version: str) -> None:
    finding = refuse("R", "spec.model.id", "a/b", "is unknown")
    assert as_sent([finding], replace(ASKED, requested_version=version), SERVICE) == [finding]


HUB_ONLY = {"spec.gpuSharing.partition.resize", "spec.defragmentation.enabled", "spec.callers"}
"""Fields that v1alpha1 does not have: who sent that version keeps them in what conversion stashes, by these names."""

NAMING = [
    (service_validation, SERVICE),
    (policy_choice, SERVICE),
    (sizing_fields, SERVICE),
    (policy_validation, POLICY),
]


@pytest.mark.parametrize(("module", "mapping"), NAMING, ids=[module.__name__ for module, _ in NAMING])
def test_every_field_that_a_check_names_is_one_of_both_versions(module: ModuleType, mapping: KindMapping) -> None:
    texts = [node.value for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Constant)]
    named = {path for text in texts if isinstance(text, str) for path in re.findall(r"\bspec(?:\.[A-Za-z]+)+", text)}
    assert named
    for path in named:
        flat, _ = flat_field(mapping, path, "x")
        assert mapping.hub_schema.below(path.split(".")[1:]) is not None, path
        if path in HUB_ONLY:
            assert mapping.spoke_schema.below(path.split(".")[1:]) is None, path
            continue
        assert mapping.spoke_schema.below(flat.split(".")[1:]) is not None, f"{path}: {flat}"

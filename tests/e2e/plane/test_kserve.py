"""What is changed in KServe's manifests for a plane, and what is not."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e.plane.errors import PlaneError
from e2e.plane.kserve import KSERVE, LLMISVC, Manager, kserve_setup

Object = dict[str, Any]

MANAGER = Manager(KSERVE, Path("kserve.yaml"), Path("folder"), 7001, 7002, 7003)
LLM_MANAGER = replace(MANAGER, component=LLMISVC, webhook_port=7004)


def named(kind: str, name: str, **members: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name}, **members}


def webhook(path: str) -> Object:
    service = {"name": "$(webhookServiceName)", "namespace": "$(kserveNamespace)", "path": path}
    return {"name": f"webhook{path}", "failurePolicy": "Fail", "clientConfig": {"service": service}}


FILES = {
    "config/crd/services.yaml": [named("CustomResourceDefinition", "services", spec={"versions": [{}]})],
    "config/configmap.yaml": [
        named(
            "ConfigMap",
            "inferenceservice-config",
            data={
                "_example": "long",
                "deploy": '{"defaultDeploymentMode": "Serverless", "deploymentRolloutStrategy": {}}',
                "ingress": '{"ingressDomain": "example.com", "disableIngressCreation": false}',
                "logger": "kept as it is",
            },
        )
    ],
    "config/rbac/role.yaml": [named("ClusterRole", "kserve-manager-role")],
    "config/webhook.yaml": [named("MutatingWebhookConfiguration", "pods", webhooks=[webhook("/a"), webhook("/b")])],
    "config/crd/llmisvc/crd.yaml": [named("CustomResourceDefinition", "llm", spec={"versions": [{}, {}]})],
    "config/llmisvcconfig/template.yaml": [named("LLMInferenceServiceConfig", "template")],
}


def only(objects: Any, kind: str) -> Object:
    found: list[Object] = [obj for obj in objects if obj["kind"] == kind]
    assert len(found) == 1, [obj["kind"] for obj in objects]
    return found[0]


def test_services_are_deployments_without_ingress_and_every_other_setting_is_kept() -> None:
    data = only(kserve_setup(FILES, [MANAGER], b"pem").settings, "ConfigMap")["data"]

    assert json.loads(data["deploy"]) == {"defaultDeploymentMode": "Standard", "deploymentRolloutStrategy": {}}
    assert json.loads(data["ingress"])["disableIngressCreation"] is True
    assert json.loads(data["ingress"])["disableIstioVirtualHost"] is True
    assert json.loads(data["ingress"])["ingressDomain"] == "example.com"
    assert data["logger"] == "kept as it is"
    assert "_example" not in data


def test_webhooks_call_the_process_on_this_machine_and_fail_as_kserve_wants() -> None:
    webhooks = only(kserve_setup(FILES, [MANAGER], b"pem").settings, "MutatingWebhookConfiguration")["webhooks"]

    assert [entry["clientConfig"] for entry in webhooks] == [
        {"url": f"https://127.0.0.1:7001/{path}", "caBundle": base64.b64encode(b"pem").decode()} for path in "ab"
    ]
    assert {entry["failurePolicy"] for entry in webhooks} == {"Fail"}


def test_the_manager_has_kserves_own_role_and_no_more() -> None:
    binding = only(kserve_setup(FILES, [MANAGER], b"pem").settings, "ClusterRoleBinding")

    assert binding["roleRef"]["name"] == "kserve-manager-role"
    assert [subject["name"] for subject in binding["subjects"]] == ["kserve-controller-manager"]


def test_the_large_kinds_come_only_with_their_manager_and_are_converted_by_it() -> None:
    without, with_it = kserve_setup(FILES, [MANAGER], b"pem"), kserve_setup(FILES, [MANAGER, LLM_MANAGER], b"pem")

    assert [crd["metadata"]["name"] for crd in without.kinds] == ["services"]
    assert without.presets == []
    crd = next(crd for crd in with_it.kinds if crd["metadata"]["name"] == "llm")
    assert crd["spec"]["conversion"]["webhook"]["clientConfig"]["url"] == "https://127.0.0.1:7004/convert"
    assert [preset["metadata"] for preset in with_it.presets] == [{"name": "template", "namespace": "kserve"}]


def test_the_modules_files_are_left_as_they_are() -> None:
    before = json.dumps(FILES)

    kserve_setup(FILES, [MANAGER, LLM_MANAGER], b"pem")

    assert json.dumps(FILES) == before


def test_an_object_that_nobody_thought_of_is_refused_by_file_and_kind() -> None:
    with pytest.raises(PlaneError, match=r"x\.yaml holds a Service, for which a plane has no place"):
        kserve_setup({"x.yaml": [named("Service", "x")]}, [MANAGER], b"pem")


def test_a_manager_that_does_not_listen_is_not_ready() -> None:
    assert not replace(MANAGER, probe_port=1).ready()

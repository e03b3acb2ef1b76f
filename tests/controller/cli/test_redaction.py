"""What leaves a cluster in a support bundle: everything that is not known to be harmless is taken out."""

from typing import Any

import pytest

from controller.cli.redaction import REDACTED, Redactor

SECRET = "s3cr3t-value-of-somebody"


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "engine", "image": "registry/engine:1"} | fields


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": list(containers), **spec}, "status": {}}


@pytest.mark.parametrize(
    "obj",
    [
        pod(container(env=[{"name": "HF_TOKEN", "value": SECRET}])),
        pod(container(args=["--api-key", SECRET])),
        pod(container(args=[f"--api-key={SECRET}"])),
        pod(container(args=["serve", SECRET])),
        pod(container(command=["sh", "-c", f"export X={SECRET}"])),
        pod(container(livenessProbe={"httpGet": {"httpHeaders": [{"name": "Authorization", "value": SECRET}]}})),
        pod(container(), volumes=[{"name": "v", "csi": {"volumeAttributes": {"password": SECRET}}}]),
        pod(container(), initContainers=[container(env=[{"name": "A", "value": SECRET}])]),
        pod(container(), imagePullSecrets=[{"name": SECRET}]),
        {"metadata": {"name": "p", "annotations": {"example.com/config": SECRET}}},
        {"metadata": {"name": "p", "labels": {"owner": SECRET}}},
        {"metadata": {"name": "p", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": SECRET}}},
        {"metadata": {"name": "p", "managedFields": [{"manager": SECRET}]}},
        {"status": {"conditions": [{"message": f"GET https://user:{SECRET}@host/path: 401"}]}},
        {"status": {"conditions": [{"message": f"Authorization: Bearer {SECRET}"}]}},
    ],
    ids=lambda obj: str(obj)[40:110],
)
@pytest.mark.parametrize("how", ["object", "pod", "service"])
def test_a_secret_is_in_no_form_of_an_object(obj: dict[str, Any], how: str) -> None:
    redactor = Redactor()
    if how == "service":
        predictor = {**obj.get("spec", {}), "model": obj.get("spec", {}).get("containers", [{}])[0]}
        told = redactor.object({"metadata": obj.get("metadata", {}), "spec": {"predictor": predictor}})
    else:
        told = redactor.pod(obj) if how == "pod" else redactor.object({**obj, "spec": {"template": obj}})
    assert SECRET not in str(told)


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdefgh12345678",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "pulled with hf_AbCdEfGhIjKlMnOp",
        "sk-abcdefghij0123456789",
        'password="correct horse"',
        "api_key: abc",
        "AWS_SECRET_ACCESS_KEY=abc/def",
        '{"access_token": "abc"}',
        "https://me:abc@host",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_credential_goes_out_of_texts(text: str) -> None:
    redactor = Redactor()
    told = redactor.text(f"before {text} after")
    assert REDACTED in told
    assert not {"abcdefgh12345678", "abc", "horse", "MIIE", "c2ln", "0123456789", "AbCdEfGhIjKlMnOp"} & set(
        told.replace("/", " ").replace('"', " ").replace("@", " ").split()
    )
    assert told.startswith("before ")
    assert redactor.counts["texts that look like credentials"] >= 1


@pytest.mark.parametrize(
    "text",
    [
        "NoFreePartition: none of 90 partitions takes 158.9 GiB",
        "node gpu-c changed lately; next change after 2026-11-26T12:10Z",
        "8 x 8192 tokens of meta-llama/Llama-3.3-70B-Instruct",
    ],
)
def test_what_explains_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_what_placement_is_judged_by_stays() -> None:
    redactor = Redactor()
    asked = container(
        args=["--model", "Qwen/Qwen3-4B", "--max-model-len=8192", "--enforce-eager"],
        env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}],
        resources={"limits": {"memory": "8Gi"}},
    )
    told = redactor.pod(pod(asked, nodeName="gpu-a", priority=7, tolerations=[{"operator": "Exists"}]))
    assert told["spec"]["nodeName"] == "gpu-a"
    (kept,) = told["spec"]["containers"]
    assert kept["args"] == asked["args"]
    assert kept["env"] == asked["env"]
    assert kept["resources"] == {"limits": {"memory": "8Gi"}}
    annotated = redactor.object({"metadata": {"name": "p", "annotations": {"aim.amd.com/model-id": "a/b", "x": "y"}}})
    assert annotated["metadata"]["annotations"] == {"aim.amd.com/model-id": "a/b", "x": REDACTED}


def test_what_was_taken_out_is_counted_by_rule() -> None:
    redactor = Redactor()
    redactor.pod(pod(container(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], args=["--x", "1"])))
    assert redactor.counts["values of environment variables"] == 2
    assert redactor.counts["arguments of engines"] == 1


def test_of_a_node_labels_and_conditions_are_told_and_no_addresses() -> None:
    node = {
        "metadata": {"name": "n", "labels": {"kubernetes.io/arch": "amd64", "team.example/cost": "12"}},
        "spec": {"providerID": "aws:///i-1", "unschedulable": True},
        "status": {"addresses": [{"address": "10.0.0.1"}], "conditions": [{"type": "Ready", "status": "True"}]},
    }
    told = Redactor().node(node)
    assert told["metadata"]["labels"] == {"kubernetes.io/arch": "amd64", "team.example/cost": REDACTED}
    assert told["spec"] == {"unschedulable": True}
    assert told["status"] == {"conditions": [{"type": "Ready", "status": "True"}]}

"""Who makes the webhooks' certificate: each way has what it needs, and no right that it does not need."""

from typing import Any

import pytest
from typer.testing import CliRunner

from controller.entrypoints.main import command_line
from e2e.chart import Helm

Object = dict[str, Any]

MODES: dict[str, dict[str, Any]] = {
    "self": {},
    "certManager": {"mode": "certManager"},
    "existingSecret": {"mode": "existingSecret", "existingSecret": "hook"},
}
INJECTED = {"cert-manager.io/inject-ca-from": "aim-gpu-system/aim-gpu-webhook"}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    return str(request.param)


def objects(helm: Helm, mode: str) -> list[Object]:
    """What is rendered for it."""
    return helm.objects({"webhook": {"certs": MODES[mode]}})


def operator(rendered: list[Object]) -> Object:
    """The operator's pod."""
    pod: Object = next(one for one in rendered if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    return pod


def test_the_operator_is_told_and_has_its_files(helm: Helm, mode: str) -> None:
    pod = operator(objects(helm, mode))
    mounted = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    told = next(one for one in pod["containers"][0]["args"] if one.startswith("--certificates="))

    assert (
        told
        == {
            "self": "--certificates=self",
            "certManager": "--certificates=cert-manager",
            "existingSecret": "--certificates=files",
        }[mode]
    )
    assert (
        mounted
        == {
            "self": {},
            "certManager": {"certificates": "aim-gpu-webhook-tls"},
            "existingSecret": {"certificates": "hook"},
        }[mode]
    )


def test_the_command_line_knows_every_argument(helm: Helm, mode: str) -> None:
    first, *others = operator(objects(helm, mode))["containers"][0]["args"]

    done = CliRunner().invoke(command_line(first), [first, *others, "--help"])

    assert done.exit_code == 0, done.output


def test_only_an_operator_that_makes_certificates_may_write_secrets(helm: Helm, mode: str) -> None:
    roles = [
        one for one in objects(helm, mode) if one["kind"] == "Role" and one["metadata"]["name"] == "aim-gpu-operator"
    ]

    secrets = [rule for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]

    assert bool(secrets) is (mode == "self")


def test_cert_manager_is_told_where_to_write_its_authority(helm: Helm, mode: str) -> None:
    rendered = objects(helm, mode)
    annotated = {
        one["metadata"]["name"]
        for one in rendered
        if INJECTED.items() <= one["metadata"].get("annotations", {}).items()
    }

    want = {
        "aim-gpu-pod-gate",
        "aim-gpu-validation",
        "gpusharingpolicies.aim.amd.com",
        "inferenceservices.aim.amd.com",
    }
    assert annotated == (want if mode == "certManager" else set())
    certificates = [one for one in rendered if one["kind"] == "Certificate"]
    assert [one["spec"]["secretName"] for one in certificates] == (
        ["aim-gpu-webhook-tls"] if mode == "certManager" else []
    )


def test_no_certificate_is_rendered_so_that_two_renderings_are_one(helm: Helm, mode: str) -> None:
    values = {"webhook": {"certs": MODES[mode]}}
    text = helm.render(values)

    assert "caBundle" not in text
    assert "BEGIN" not in text
    assert text == helm.render(values)

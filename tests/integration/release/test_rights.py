"""The Job before an uninstall has the least rights: with any verb less, it ends with an error that names what it lacks."""

from collections.abc import Iterable

import pytest

from controller.cli.release_steps import GUARDS, OPERATOR, TWO_VERSIONS, WEBHOOKS, GatedPods, Release
from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.errors import Forbidden
from controller.runtime.clock import RealClock
from e2e.chart import Helm, installed
from e2e.plane import Plane, service_account_token
from e2e.run.install import SYSTEM_NAMESPACE, apply_objects
from tests.integration.release.left_over import left
from tests.rights.grants import Grant, grants
from tests.rights.roles import allowed

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

WHOLE = "lacks-nothing"
STEPS = (
    "repartitionplans",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "deployments",
    "deployments/scale",
    "gpunodes",
    "validatingadmissionpolicybindings",
    "pods",
    "resourceclaims",
    "gpupartitionclaims",
    "nodes",
    "customresourcedefinitions",
)
"""In the order in which the command comes to them, so that each run ends at what it lacks and the next goes on there."""
NAMES = ("", *(name for _, name in WEBHOOKS), OPERATOR, *GUARDS, *TWO_VERSIONS)
VERBS = ("list", "get", "delete", "patch")


def in_order(found: Iterable[Grant]) -> list[Grant]:
    return sorted(found, key=lambda one: (STEPS.index(one.resource), NAMES.index(one.name), VERBS.index(one.verb)))


async def outcome(plane: Plane, account: str) -> str:
    """What the command says as that account: the lines of what it did, or that it was forbidden."""
    token = service_account_token(plane, SYSTEM_NAMESPACE, account)
    async with Client(ClientConfiguration(server=plane.server, token=token, ca=str(plane.ca))) as client:
        release = Release(client, RealClock(), SYSTEM_NAMESPACE, GatedPods.DELETE, dry_run=False, limit_seconds=5.0)
        try:
            return "\n".join([line async for line in release.run()])
        except (Forbidden, TimeoutError) as error:
            return str(error)


async def test_no_right_can_be_left_out(helm: Helm) -> None:
    rights = in_order(one for one in grants(helm.objects()) if one.account == "aim-gpu-release")
    assert len(rights) == 27
    with left() as plane:
        apply_objects(plane, installed.objects("install.yaml", kind="Deployment"))
        accounts = {
            f"lacks-{number}": [one for one in rights if one is not lacked] for number, lacked in enumerate(rights)
        }
        apply_objects(plane, [one for name, has in (accounts | {WHOLE: rights}).items() for one in allowed(name, has)])
        said = {str(lacked): await outcome(plane, name) for name, lacked in zip(accounts, rights, strict=True)}
        assert {right: words for right, words in said.items() if "is forbidden" not in words} == {}
        assert "v1alpha1 is served no longer" in await outcome(plane, WHOLE)
        assert await outcome(plane, WHOLE) == ""

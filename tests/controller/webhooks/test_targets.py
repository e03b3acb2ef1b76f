"""What is put where, decided on the objects as they are installed."""

from typing import Any

import pytest

from controller.runtime.client.core import VALIDATING_WEBHOOKS
from controller.webhooks.targets import Address, Conversion, Target, Unusable, WebhookConfiguration, patch
from tests.builders.json_patch import apply_patch

ONE, TWO = "one.example.com", "two.example.com"
HOOKS = WebhookConfiguration(VALIDATING_WEBHOOKS, "hooks", {ONE: "/one", TWO: "/two"})
CRD = Conversion("gadgets.example.com", "/convert", ("v1", "v2"))
SERVICE = {"name": "operator", "namespace": "system", "path": "/as-installed"}
INSIDE, OUTSIDE = Address("new"), Address("new", "https://here:1")


def hooks(*names: str, **client_config: Any) -> dict[str, Any]:
    """The configuration as the manifests install it: a webhook for each name, all with this clientConfig."""
    webhooks = [{"name": name, "clientConfig": dict(client_config)} for name in names or (ONE, TWO)]
    return {"metadata": {"name": "hooks", "resourceVersion": "7"}, "webhooks": webhooks}


def crd(*versions: str, **client_config: Any) -> dict[str, Any]:
    """A definition that converts by webhook, with this clientConfig."""
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": client_config}}
    spec = {"versions": [{"name": name} for name in versions or ("v1", "v2")], "conversion": conversion}
    return {"metadata": {"name": CRD.name, "resourceVersion": "7"}, "spec": spec}


def configs(target: Target, present: dict[str, Any], address: Address) -> list[dict[str, Any]]:
    """The target's clientConfigs once the patch is applied."""
    after = apply_patch(present, patch(target, present, address))
    return [dict(place.installed) for place in target.places(after)]


CASES = [
    pytest.param(INSIDE, {"service": SERVICE}, [{"service": SERVICE, "caBundle": "new"}] * 2, id="the first CA"),
    pytest.param(
        INSIDE, {"service": SERVICE, "caBundle": "old"}, [{"service": SERVICE, "caBundle": "new"}] * 2, id="another CA"
    ),
    pytest.param(
        OUTSIDE,
        {"service": SERVICE, "caBundle": "old"},
        [{"url": f"https://here:1{path}", "caBundle": "new"} for path in ("/one", "/two")],
        id="a URL in the service's place",
    ),
    pytest.param(
        Address("", "https://here:1"),
        {"url": "https://there/one", "caBundle": "another's"},
        [{"url": f"https://here:1{path}", "caBundle": "another's"} for path in ("/one", "/two")],
        id="a CA that somebody else keeps",
    ),
    pytest.param(Address(""), {"service": SERVICE}, [{"service": SERVICE}] * 2, id="no CA but the API server's own"),
]


@pytest.mark.parametrize(("address", "installed", "want"), CASES)
def test_every_webhook_of_ours_gets_its_address(
    address: Address, installed: dict[str, Any], want: list[dict[str, Any]]
) -> None:
    assert configs(HOOKS, hooks(**installed), address) == want


def test_a_definition_gets_the_conversion_path() -> None:
    assert configs(CRD, crd(service=SERVICE), OUTSIDE) == [{"url": "https://here:1/convert", "caBundle": "new"}]
    assert configs(CRD, crd(service=SERVICE), INSIDE) == [{"service": SERVICE, "caBundle": "new"}]


@pytest.mark.parametrize(
    ("target", "present"),
    [
        pytest.param(HOOKS, hooks(service=SERVICE, caBundle="new"), id="webhooks"),
        pytest.param(CRD, crd(service=SERVICE, caBundle="new"), id="a conversion"),
    ],
)
def test_what_is_there_already_is_not_patched(target: Target, present: dict[str, Any]) -> None:
    assert patch(target, present, INSIDE) == []


def test_a_definition_of_one_version_needs_no_conversion() -> None:
    present = {"metadata": {"resourceVersion": "7"}, "spec": {"versions": [{"name": "v1"}]}}
    assert patch(CRD, present, INSIDE) == []


def test_a_version_that_a_later_release_serves_and_nobody_stored_is_no_problem() -> None:
    present = crd("v1", "v2", "v3", service=SERVICE) | {"status": {"storedVersions": ["v1", "v2"]}}
    assert configs(CRD, present, INSIDE) == [{"service": SERVICE, "caBundle": "new"}]


def test_webhooks_of_others_in_the_configuration_stay_as_they_are() -> None:
    present = hooks("a.example.com", TWO, ONE, "z.example.com", service=SERVICE)
    after = apply_patch(present, patch(HOOKS, present, INSIDE))
    assert [webhook["clientConfig"].get("caBundle") for webhook in after["webhooks"]] == [None, "new", "new", None]


def test_a_patch_says_which_version_it_was_made_for() -> None:
    version, name, *_ = patch(HOOKS, hooks("other", ONE, TWO, service=SERVICE), INSIDE)
    assert version == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert name == {"op": "test", "path": "/webhooks/1/name", "value": ONE}


UNUSABLE = [
    pytest.param(HOOKS, hooks(ONE, "other"), INSIDE, [ONE, f"lack {TWO}", "apply the manifests"], id="one is missing"),
    pytest.param(
        HOOKS, {"metadata": {"resourceVersion": "7"}}, INSIDE, [f"none lack {ONE}, {TWO}"], id="no webhook at all"
    ),
    pytest.param(HOOKS, hooks(url="https://gone"), INSIDE, ["names no Service", "--webhook-url"], id="a stale URL"),
    pytest.param(
        HOOKS, hooks(service=SERVICE), Address(None), ["has no caBundle", "inject-ca-from"], id="nothing injected"
    ),
    pytest.param(
        CRD,
        {"metadata": {"resourceVersion": "7"}, "spec": {"versions": [{"name": "v1"}, {"name": "v2"}]}},
        INSIDE,
        ["versions v1, v2", "apply the definition again"],
        id="two versions, no conversion",
    ),
    pytest.param(
        CRD,
        crd("v1", "v2", "v3", service=SERVICE) | {"status": {"storedVersions": ["v2", "v3"]}},
        INSIDE,
        ["stored in v3,", "converts v1, v2 alone", "run the release again that stored them"],
        id="objects of a later release",
    ),
]


@pytest.mark.parametrize(("target", "present", "address", "wanted"), UNUSABLE)
def test_what_cannot_be_used_is_named_with_the_remedy(
    target: Target, present: dict[str, Any], address: Address, wanted: list[str]
) -> None:
    with pytest.raises(Unusable) as caught:
        patch(target, present, address)
    assert [text for text in (str(target), *wanted) if text not in str(caught.value)] == []

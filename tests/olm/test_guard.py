"""The policy beside the bundle: for the same pods as the webhook of the manifest, and about the gate that it adds."""

from olm.guard import NAME, guard
from olm.sources import manifest, named
from olm.webhooks import webhooks

OBJECTS = manifest()
(POLICY, BINDING) = guard(OBJECTS)
(WEBHOOK,) = named(OBJECTS, "MutatingWebhookConfiguration", "aim-gpu-pod-gate")["webhooks"]


def test_it_looks_at_the_pods_for_which_the_chart_fails_closed() -> None:
    assert WEBHOOK["failurePolicy"] == "Fail"
    assert POLICY["spec"]["failurePolicy"] == "Fail"
    assert POLICY["spec"]["matchConditions"] == WEBHOOK["matchConditions"]
    assert POLICY["spec"]["matchConstraints"] == {"resourceRules": WEBHOOK["rules"]}


def test_it_denies_by_a_binding_of_its_own() -> None:
    assert BINDING["spec"] == {"policyName": NAME, "validationActions": ["Deny"]}
    assert {each["metadata"]["name"] for each in (POLICY, BINDING)} == {NAME}


def test_every_other_webhook_fails_open_in_the_chart_too() -> None:
    opened = {each["generateName"] for each in webhooks(OBJECTS) if each.get("failurePolicy") == "Ignore"}
    closed = {
        hook["name"]
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        for each in OBJECTS
        if each["kind"] == kind
        for hook in each["webhooks"]
        if hook["failurePolicy"] == "Fail"
    }
    assert opened & closed == {WEBHOOK["name"]}

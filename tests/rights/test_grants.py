"""Grants are those of bound roles, and one that no request needed is found."""

import pytest

from e2e.chart import installed
from e2e.chart.install_manifest import ADDITIONS, INSTALL
from tests.rights.grants import Grant, grants, unused
from tests.rights.requests import Request

RULES = [
    {"apiGroups": [""], "resources": ["pods", "pods/eviction"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["one"], "verbs": ["get", "patch"]},
]
SUBJECT = {"kind": "ServiceAccount", "name": "ours", "namespace": "system"}
OBJECTS = [
    {"kind": "ClusterRole", "metadata": {"name": "wide"}, "rules": RULES},
    {"kind": "ClusterRole", "metadata": {"name": "of-nobody"}, "rules": RULES},
    {
        "kind": "ClusterRole",
        "metadata": {"name": "urls"},
        "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    },
    *(
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": name},
            "subjects": [SUBJECT, {"kind": "User", "name": "somebody"}],
        }
        for name in ("wide", "urls")
    ),
    {
        "kind": "RoleBinding",
        "metadata": {"name": "wide", "namespace": "near"},
        "roleRef": {"kind": "ClusterRole", "name": "wide"},
        "subjects": [SUBJECT | {"name": "other"}],
    },
]
ANYWHERE = Grant("ours", "", "", "pods", "", "get")
NEAR = Grant("ours", "near", "", "pods", "", "get")
NAMED = Grant("ours", "", "apps", "deployments", "one", "patch")


def asked(
    verb: str = "get", resource: str = "pods", group: str = "", namespace: str = "near", name: str = "x"
) -> Request:
    return Request("ours", verb, group, resource, namespace, name)


def test_every_verb_on_every_resource_is_a_grant_of_its_own() -> None:
    found = grants(OBJECTS)

    assert {one for one in found if one.account == "ours"} == {
        ANYWHERE,
        Grant("ours", "", "", "pods/eviction", "", "get"),
        Grant("ours", "", "apps", "deployments", "one", "get"),
        NAMED,
    }
    assert {one.namespace for one in found if one.account == "other"} == {"near"}


@pytest.mark.parametrize(
    ("grant", "request_", "want"),
    [
        pytest.param(ANYWHERE, asked(), True, id="the same"),
        pytest.param(ANYWHERE, asked("list"), False, id="another verb"),
        pytest.param(ANYWHERE, asked(resource="pods/eviction"), False, id="a subresource"),
        pytest.param(ANYWHERE, asked(group="apps"), False, id="another group"),
        pytest.param(NEAR, asked(namespace="far"), False, id="another namespace"),
        pytest.param(NAMED, asked("patch", "deployments", "apps", name="one"), True, id="by its name"),
        pytest.param(NAMED, asked("patch", "deployments", "apps", name="two"), False, id="another name"),
    ],
)
def test_a_request_needs_what_allows_it(grant: Grant, request_: Request, want: bool) -> None:
    assert grant.allows(request_) is want


def test_a_grant_is_unused_when_nobody_needed_it_or_another_would_have_done() -> None:
    assert unused({ANYWHERE, NAMED}, [asked()]) == {NAMED}
    assert unused({ANYWHERE, NEAR}, [asked()]) == {ANYWHERE, NEAR}
    assert unused({ANYWHERE, NEAR}, [asked(), asked(namespace="far")]) == {NEAR}


def test_a_grant_is_shown_as_people_write_it() -> None:
    assert str(NAMED) == "patch deployments.apps one"
    assert str(NEAR) == "get pods in near"


@pytest.mark.parametrize("file", [INSTALL, *ADDITIONS])
def test_no_role_of_the_chart_has_wildcards_or_hands_on_rights(file: str) -> None:
    for role in [one for kind in ("ClusterRole", "Role") for one in installed.objects(file, kind=kind)]:
        for rule in role["rules"]:
            said = [word for words in rule.values() for word in words]
            assert "*" not in " ".join(said), role["metadata"]["name"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
            assert "rbac.authorization.k8s.io" not in said

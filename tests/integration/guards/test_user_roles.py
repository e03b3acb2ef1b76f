"""Kubernetes' own roles edit and view say what users of a namespace may do with our kinds."""

import pytest

from e2e.plane import Plane

pytestmark = pytest.mark.plane

ROWS = [
    pytest.param("edit", "create", "inferenceservices", True, id="an editor makes services"),
    pytest.param("edit", "list", "gpupartitionclaims", True, id="an editor sees claims"),
    pytest.param("edit", "create", "gpupartitionclaims", False, id="an editor makes no claims"),
    pytest.param("edit", "get", "repartitionplans", False, id="an editor sees no plans: they tell of others"),
    pytest.param("view", "list", "inferenceservices", True, id="a viewer sees services"),
    pytest.param("view", "patch", "inferenceservices", False, id="a viewer changes none"),
]


@pytest.mark.parametrize(("role", "verb", "resource", "want"), ROWS)
def test_a_user_may_do_what_the_role_says(
    installed_plane: Plane, namespace: str, role: str, verb: str, resource: str, want: bool
) -> None:
    admin, user = installed_plane.admin, f"user-of-{namespace}"
    binding = {
        "metadata": {"name": "user"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    admin.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", binding)
    attributes = {"namespace": namespace, "verb": verb, "group": "aim.amd.com", "resource": resource}
    review = {"spec": {"user": user, "resourceAttributes": attributes}}

    def asked() -> bool:
        answer = admin.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    if want:  # the binding, and the rules of the aggregated role, take a moment to be known
        installed_plane.wait_until(asked, f"{role} may {verb} {resource}", 60.0)
    else:
        seen = {"namespace": namespace, "verb": "list", "group": "aim.amd.com", "resource": "inferenceservices"}
        known = {"spec": {"user": user, "resourceAttributes": seen}}
        reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        installed_plane.wait_until(lambda: admin.create(reviews, known)["status"]["allowed"], "the role is known", 60.0)
        assert not asked()

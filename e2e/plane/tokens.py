"""ServiceAccount tokens, as a kubelet would request them for a pod."""

from e2e.plane.admin import Object
from e2e.plane.plane import Plane


def service_account_token(
    plane: Plane,
    namespace: str,
    name: str,
    *,
    bound_node: str | None = None,
    audience: str | None = None,
    seconds: int = 86400,
) -> str:
    """A token for the ServiceAccount, which must exist. `audience`: whom it is for; None: the API server.

    With `bound_node` it carries `authentication.kubernetes.io/node-name` and dies with that Node. Raises AdminError.
    """
    spec: Object = {"expirationSeconds": seconds}
    if bound_node is not None:
        uid = plane.admin.get(f"/api/v1/nodes/{bound_node}")["metadata"]["uid"]
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Node", "name": bound_node, "uid": uid}
    if audience is not None:
        spec["audiences"] = [audience]
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = plane.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
    token: str = answer["status"]["token"]
    return token

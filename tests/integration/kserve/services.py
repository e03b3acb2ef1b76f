"""KServe's services in one namespace, as a test makes them, looks at them, and writes into them as a stranger would."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2e.plane import AdminError, Plane

API = "/apis/serving.kserve.io/v1beta1"
LIMIT_SECONDS = 60.0

Object = dict[str, Any]


def inference_service(name: str, *, annotations: dict[str, str] | None = None, **predictor: Any) -> Object:
    """A service of one container; `predictor` adds to spec.predictor."""
    containers = [{"name": "kserve-container", "image": "example.com/server:1", "ports": [{"containerPort": 8000}]}]
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"predictor": {"containers": containers} | predictor},
    }


@dataclass(frozen=True)
class Services:
    """Blocking: KServe needs a few tenths of a second for anything."""

    plane: Plane
    namespace: str

    def path(self, name: str = "") -> str:
        return f"{API}/namespaces/{self.namespace}/inferenceservices{name and f'/{name}'}"

    def create(self, name: str, *, annotations: dict[str, str] | None = None, **predictor: Any) -> Object:
        return self.plane.admin.create(self.path(), inference_service(name, annotations=annotations, **predictor))

    def create_ready(self, name: str, *, annotations: dict[str, str] | None = None, **predictor: Any) -> Object:
        self.create(name, annotations=annotations, **predictor)
        return self.wait_for(name, lambda service: condition(service, "Ready").get("status") == "True", "it is Ready")

    def get(self, name: str) -> Object:
        return self.plane.admin.get(self.path(name))

    def patch(self, name: str, patch: Object | list[Any]) -> Object:
        return self.plane.admin.patch(self.path(name), patch)

    def annotate(self, name: str, annotations: dict[str, str | None]) -> Object:
        return self.patch(name, {"metadata": {"annotations": annotations}})

    def update(self, name: str, change: Callable[[Object], None], subresource: str = "") -> Object:
        """Get, change, PUT, and again as often as somebody else was faster."""
        while True:
            obj = self.get(name)
            change(obj)
            try:
                return self.plane.admin.request("PUT", self.path(name) + subresource, obj)
            except AdminError as error:
                if error.reason != "Conflict":
                    raise

    def set_condition(self, name: str, wanted: Object) -> Object:
        def change(service: Object) -> None:
            conditions = service["status"]["conditions"]
            conditions[:] = [entry for entry in conditions if entry["type"] != wanted["type"]] + [wanted]

        return self.update(name, change, "/status")

    def wait_for(self, name: str, holds: Callable[[Object], bool], what: str) -> Object:
        self.until(lambda: holds(self.get(name)), f"{name}: {what}")
        return self.get(name)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        self.plane.wait_until(holds, what, LIMIT_SECONDS)

    def deployment_path(self, name: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}-predictor"

    def deployment(self, name: str) -> Object:
        """The service's Deployment, waited for."""
        self.until(lambda: self.plane.admin.find(self.deployment_path(name)) is not None, f"{name} has its Deployment")
        return self.plane.admin.get(self.deployment_path(name))

    def autoscaler(self, name: str) -> Object | None:
        path = f"/apis/autoscaling/v2/namespaces/{self.namespace}/horizontalpodautoscalers/{name}-predictor"
        return self.plane.admin.find(path)

    def pods(self, name: str) -> list[Object]:
        selector = f"serving.kserve.io/inferenceservice%3D{name}"
        items: list[Object] = self.plane.admin.get(
            f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={selector}"
        )["items"]
        return items


def condition(obj: Object, type_: str) -> Object:
    """A condition of the status; empty when it is not there."""
    found: list[Object] = obj.get("status", {}).get("conditions") or []
    return next((entry for entry in found if entry["type"] == type_), {})

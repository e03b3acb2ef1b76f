"""A running operator whose webhooks answer the API server, with a GPU node, policies, and KServe's kind."""

import http.client
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from e2e.plane import Plane
from e2e.plane.ports import LOOPBACK
from tests.integration.operator.running import Running, running

Object = dict[str, Any]
AIM = "/apis/aim.amd.com"
KSERVE = "/apis/serving.kserve.io/v1beta1"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_KSERVE_CRD = "inferenceservices.serving.kserve.io"


@dataclass(frozen=True)
class Answer:
    """What the API server says to one request: status, message of a refusal, and warnings."""

    status: int
    message: str
    warnings: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        return self.status < http.client.MULTIPLE_CHOICES


class Asker:
    """Sends requests as the administrator, and reads the warnings that kubectl would print."""

    def __init__(self, cluster: Running) -> None:
        self.cluster = cluster
        self.plane = cluster.plane
        self.namespace = cluster.namespace
        self._tls = ssl.create_default_context(cafile=str(self.plane.ca))
        self._token = self.plane.admin._headers["Authorization"]

    def send(self, method: str, path: str, body: Object, *, dry_run: bool = True) -> Answer:
        port = int(self.plane.server.rpartition(":")[2])
        connection = http.client.HTTPSConnection(LOOPBACK, port, context=self._tls, timeout=30)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            where = f"{path}?dryRun=All" if dry_run else path
            connection.request(method, where, json.dumps(body), {"Authorization": self._token, "Content-Type": kind})
            response = connection.getresponse()
            told = json.loads(response.read())
            given = response.headers.get_all("Warning") or []
        finally:
            connection.close()
        return Answer(response.status, str(told.get("message", "")), tuple(map(_text, given)))

    def asked_for(self) -> bool:
        """Whether both of our kinds are served and judged: their storage is made anew for the conversion webhook."""
        unknown = self.create_service({"model": {"id": "Qwen/Qwen3-9B"}})
        doubtful = self.create_policy({"quotas": [{"namespace": "nowhere", "max": "1Gi"}]})
        return unknown.status == http.client.UNPROCESSABLE_ENTITY and doubtful.accepted and bool(doubtful.warnings)

    def policies_known(self) -> bool:
        """Whether the operator's cache has both: it lists policies anew after their storage was made anew."""
        model = {"id": "Qwen/Qwen3-4B"}
        mine, theirs = (
            self.create_service({"model": model, "gpuSharing": {"policyRef": name}}) for name in ("gold", "others")
        )
        return mine.accepted and "does not select" in theirs.message

    def create_service(self, spec: Object, *, version: str = "v1beta1", name: str = "asked") -> Answer:
        path = f"{AIM}/{version}/namespaces/{self.namespace}/inferenceservices"
        obj = {"apiVersion": f"aim.amd.com/{version}", "kind": "InferenceService", "metadata": {"name": name}}
        return self.send("POST", path, obj | {"spec": spec})

    def create_policy(self, spec: Object) -> Answer:
        obj = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy", "metadata": {"name": "asked"}}
        return self.send("POST", f"{AIM}/v1beta1/gpusharingpolicies", obj | {"spec": spec})

    def create_kserve(self, annotations: dict[str, str], predictor: dict[str, str] | None = None) -> Answer:
        path = f"{KSERVE}/namespaces/{self.namespace}/inferenceservices"
        spec = {"predictor": {"annotations": predictor or {}, "containers": [{"name": "kserve-container"}]}}
        metadata = {"name": "asked", "annotations": annotations}
        return self.send(
            "POST", path, {"apiVersion": KSERVE[6:], "kind": "InferenceService", "metadata": metadata, "spec": spec}
        )


def _text(header: str) -> str:
    """The text of a Warning header: `299 - "text"`."""
    return header.partition(' - "')[2].removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")


def policy(name: str, namespace: str, **spec: Any) -> Object:
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace]}
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": name},
        "spec": {"namespaceSelector": {"matchExpressions": [wanted]}, "validatedOnly": False, **spec},
    }


def _kserve_crd() -> Object:
    """KServe's kind without its schema: what its manager does with objects is not looked at here."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": _KSERVE_CRD},
        "spec": {
            "group": "serving.kserve.io",
            "names": {"plural": "inferenceservices", "singular": "inferenceservice", "kind": "InferenceService"},
            "scope": "Namespaced",
            "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}],
        },
    }


@pytest.fixture(scope="module")
def kserve_kind(installed_plane: Plane) -> Iterator[None]:
    """KServe's kind is served while the module runs, and gone afterwards: other tests run without KServe."""
    admin = installed_plane.admin
    admin.create(_CRDS, _kserve_crd())
    installed_plane.wait_until(
        # while its storage is made, the API server answers 429
        lambda: admin.raw("GET", f"{KSERVE}/namespaces/default/inferenceservices")[0] == http.client.OK,
        "KServe's kind is served",
    )
    yield
    admin.delete(f"{_CRDS}/{_KSERVE_CRD}")
    installed_plane.wait_until(
        lambda: admin.find(f"{_CRDS}/{_KSERVE_CRD}") is None and admin.raw("GET", KSERVE)[0] == http.client.NOT_FOUND,
        "KServe's kind is gone",
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asker(
    installed_plane: Plane, kserve_kind: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asker]:
    """One MI300X in CPX, policy gold for this namespace and its node, policy others for another namespace."""
    folder = tmp_path_factory.mktemp("webhooks")
    async with running(installed_plane, folder, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        made = Asker(cluster)
        installed_plane.wait_until(made.asked_for, "the API server asks our webhooks")
        policies = f"{AIM}/v1beta1/gpusharingpolicies"
        installed_plane.admin.create(policies, policy("gold", cluster.namespace))
        elsewhere = {"nodeSelector": {"matchLabels": {"no": "where"}}, "qosClasses": [{"name": "secret", "rank": 0}]}
        installed_plane.admin.create(policies, policy("others", "elsewhere", **elsewhere))
        installed_plane.wait_until(made.policies_known, "the operator has seen both policies")
        yield made

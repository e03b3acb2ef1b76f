"""KServe's controllers on a plane: what they need on the API server, how each is started, and when it is ready.

Everything is KServe's own, taken from its module, but for what tells a cluster from loose processes: the admission
webhooks are called by URL on the loopback address, the ClusterRoles are bound to users of the plane's token file, and
services are Deployments without ingress ("Standard": there is no Knative, no Istio, no gateway here).
"""

import base64
import http.client
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.admin import Admin, Object
from e2e.plane.components import Site
from e2e.plane.credentials import KSERVE_MANAGER, LLMISVC_MANAGER, Credentials
from e2e.plane.errors import AdminError, PlaneError
from e2e.plane.ports import LOOPBACK

KSERVE = "kserve-manager"
LLMISVC = "kserve-llmisvc"
KSERVE_MANIFESTS = "kserve-manifests.json"
NAMESPACE = "kserve"
GROUP = "serving.kserve.io"

PORTS_EACH = 3
"""TCP ports that one manager listens on: webhooks, metrics, probes."""

_PROBE_SECONDS = 2.0
_ROLES = {KSERVE: "kserve-manager-role", LLMISVC: "kserve-llmisvc-manager-role"}
_USERS = {KSERVE: KSERVE_MANAGER, LLMISVC: LLMISVC_MANAGER}
_RBAC = "rbac.authorization.k8s.io"

# What is changed in the ConfigMap: each key's JSON is kept but for these members.
_CONFIGURATION: Mapping[str, Object] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
}


@dataclass(frozen=True, slots=True)
class Manager:
    """One of KServe's processes on a plane. `folder` is its TMPDIR, where it looks for its serving certificate."""

    component: str
    kubeconfig: Path
    folder: Path
    webhook_port: int
    metrics_port: int
    probe_port: int

    @property
    def user(self) -> str:
        """Who it is for the API server."""
        return _USERS[self.component]

    @property
    def arguments(self) -> list[str]:
        """Its command line, without the program. The webhook port is open on all addresses: no flag restricts it."""
        return [
            f"--webhook-port={self.webhook_port}",
            f"--metrics-addr={LOOPBACK}:{self.metrics_port}",
            f"--health-probe-addr={LOOPBACK}:{self.probe_port}",
            *(["--metrics-secure=false"] if self.component == LLMISVC else []),
        ]

    @property
    def environ(self) -> dict[str, str]:
        """What it reads of its environment."""
        return {"KUBECONFIG": str(self.kubeconfig), "TMPDIR": str(self.folder), "POD_NAMESPACE": NAMESPACE}

    def write_certificate(self, credentials: Credentials) -> None:
        """Put the serving certificate where the process looks for it."""
        folder = self.folder / "k8s-webhook-server" / "serving-certs"
        folder.mkdir(parents=True, mode=0o700)
        shutil.copyfile(credentials.webhook_certificate, folder / "tls.crt")
        shutil.copyfile(credentials.webhook_key, folder / "tls.key")

    def ready(self) -> bool:
        """Whether its probe says so; False also while nobody listens."""
        connection = http.client.HTTPConnection(LOOPBACK, self.probe_port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class KServeSetup:
    """KServe's objects for a plane, by when they are to be applied.

    `kinds` come before the plane's controllers, which learn kinds when they start; `settings` need the kinds, and the
    managers need them; `presets` are admitted by the managers' webhooks, so they come last.
    """

    kinds: Sequence[Object] = ()
    settings: Sequence[Object] = ()
    presets: Sequence[Object] = ()


def kserve_manager(component: str, site: Site, ports: Sequence[int]) -> Manager:
    """The manager of that name on a plane, with the ports that are its own."""
    folder = site.folder / component
    return Manager(component, site.kubeconfigs[_USERS[component]], folder, *ports)


def kserve_setup(files: Mapping[str, Sequence[Object]], managers: Sequence[Manager], authority: bytes) -> KServeSetup:
    """What these managers need of the module's files (path inside it -> objects); `authority` is PEM.

    Raises PlaneError for an object that nobody thought of.
    """
    by_component = {manager.component: manager for manager in managers}
    bundle = base64.b64encode(authority).decode("ascii")
    kinds: list[Object] = []
    settings: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    presets: list[Object] = []
    for path, objects in files.items():
        manager = by_component.get(LLMISVC if "llmisvc" in path else KSERVE)
        if manager is None:
            continue
        for obj in objects:
            match obj["kind"]:
                case "CustomResourceDefinition":
                    kinds.append(converted_by_url(obj, manager, bundle))
                case "ConfigMap":
                    settings.append(configured(obj))
                case "ClusterRole":
                    settings += [obj, binding(manager)]
                case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
                    settings.append(called_by_url(obj, manager, bundle))
                case "LLMInferenceServiceConfig":
                    presets.append(obj | {"metadata": obj["metadata"] | {"namespace": NAMESPACE}})
                case kind:
                    raise PlaneError(f"{path} holds a {kind}, for which a plane has no place: take it off the list")
    return KServeSetup(kinds, settings, presets)


def configured(config: Object) -> Object:
    """KServe's ConfigMap for services that are Deployments and have no ingress.

    All other keys stay as they are: without some of them (quantities, annotation lists) KServe fails or rolls pods.
    """
    data = {key: value for key, value in config["data"].items() if not key.startswith("_")}
    changed = {key: json.dumps(json.loads(data[key]) | members) for key, members in _CONFIGURATION.items()}
    return config | {"data": data | changed}


def called_by_url(configuration: Object, manager: Manager, bundle: str) -> Object:
    """A webhook configuration that calls the manager's process instead of a Service."""
    webhooks = [
        entry | {"clientConfig": _client(manager, entry["clientConfig"]["service"]["path"], bundle)}
        for entry in configuration["webhooks"]
    ]
    return configuration | {"webhooks": webhooks}


def converted_by_url(crd: Object, manager: Manager, bundle: str) -> Object:
    """A CRD whose versions, if it has several, are converted by the manager."""
    if len(crd["spec"]["versions"]) == 1:
        return crd
    webhook = {"clientConfig": _client(manager, "/convert", bundle), "conversionReviewVersions": ["v1", "v1beta1"]}
    return crd | {"spec": crd["spec"] | {"conversion": {"strategy": "Webhook", "webhook": webhook}}}


def binding(manager: Manager) -> Object:
    """KServe's own ClusterRole for the user that the manager is here."""
    role = _ROLES[manager.component]
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"aim-plane-{role}"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": manager.user}],
    }


def known(admin: Admin, crds: Sequence[Object]) -> bool:
    """Whether discovery tells of every served version of the kinds: a manager that starts earlier ends at once."""
    wanted = {
        (crd["spec"]["group"], version["name"], crd["spec"]["names"]["plural"])
        for crd in crds
        for version in crd["spec"]["versions"]
        if version["served"]
    }
    return wanted <= admin.discovered()


def webhooks_work(admin: Admin) -> bool:
    """Whether KServe's webhooks have taken effect: a service that is created as a trial comes back with defaults."""
    containers = [{"name": "kserve-container", "image": "example.com/probe"}]
    service = {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "aim-plane-probe"},
        "spec": {"predictor": {"containers": containers}},
    }
    try:
        answer = admin.create(f"/apis/{GROUP}/v1beta1/namespaces/default/inferenceservices?dryRun=All", service)
    except AdminError:
        return False  # the webhook is registered and not reached yet
    return "resources" in answer["spec"]["predictor"]["containers"][0]


def _client(manager: Manager, path: str, bundle: str) -> Object:
    return {"url": f"https://{LOOPBACK}:{manager.webhook_port}{path}", "caBundle": bundle}

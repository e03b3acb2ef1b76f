"""The ClusterServiceVersion: what consoles show of the operator, what it owns, and how OLM installs it."""

import base64
import json
from pathlib import Path
from typing import Any, Final

from olm.descriptors import descriptors
from olm.install import install
from olm.sources import NAMESPACE, OPERATOR, PACKAGE, Object, chart, examples, named, of_kind
from olm.webhooks import webhooks

CREATED: Final = "2026-11-27T00:00:00Z"
"""When this version's bundle was made; of a released version it is the day in CHANGELOG.md, as a test says."""
REPOSITORY: Final = "https://github.com/amd-enterprise-ai/aim-gpu-sharing"
_DOCS: Final = f"{REPOSITORY}/blob/main/docs"
_INTERNAL: Final = ("gpupartitionclaims.aim.amd.com",)
"""Kinds that nobody makes by hand: consoles offer no form for them."""

_DESCRIPTION: Final = """\
{summary}

An MI300X is one device of 192 GiB, or up to eight of 24 GiB. The operator calculates what a model needs, finds it a
partition that fits, changes the modes of idle GPUs where a policy allows it, and keeps models apart. Models come as
`InferenceService`, as one of KServe's, or as any annotated pod.

**Before you subscribe**: OLM installs neither DaemonSets nor admission policies, so apply what is beside this bundle:

    kubectl apply -f {repository}/raw/v{version}/olm/cluster-objects.yaml

Then subscribe in the namespace `{namespace}`, with an OperatorGroup for all namespaces, and label the nodes whose GPUs
are to be shared: `kubectl label node NAME aim.amd.com/managed=true`.

To remove it so that nothing waits for an operator that is gone: delete Subscription and ClusterServiceVersion, else OLM
starts the operator again, then run `aim-gpu release --all`, then `kubectl delete` what is beside this bundle. The
command `aim-gpu` is in the operator's image, and `make env` makes it in a checkout of this version
([how]({docs}/olm.md#the-command-aim-gpu)).
"""

_EVENT: Final = ("Event", "events.k8s.io/v1")
_RESOURCES: Final = {
    "InferenceService": (
        ("Deployment", "apps/v1"),
        ("Service", "v1"),
        ("InferenceService", "serving.kserve.io/v1beta1"),
        _EVENT,
    ),
    "GPUSharingPolicy": (("RepartitionPlan", "aim.amd.com/v1beta1"),),
    "ModelProfile": (("ConfigMap", "v1"),),
    "RepartitionPlan": (("GPUNode", "aim.amd.com/v1beta1"), ("Pod", "v1"), _EVENT),
    "GPUNode": (("ResourceSlice", "resource.k8s.io/v1"), ("Node", "v1")),
    "GPUPartitionClaim": (("ResourceClaim", "resource.k8s.io/v1"), ("Pod", "v1"), _EVENT),
}
"""What an object of a kind leads to: kind and API version."""
OPERATORS_OWN: Final = {"GPUNode": ("operation", "reservations")}
"""Fields of spec that the operator alone writes: consoles offer nobody a form for them."""
_TITLES: Final = {
    "InferenceService": "Inference Service",
    "GPUSharingPolicy": "GPU Sharing Policy",
    "ModelProfile": "Model Profile",
    "RepartitionPlan": "Repartition Plan",
    "GPUNode": "GPU Node",
    "GPUPartitionClaim": "GPU Partition Claim",
}


def service_version(objects: list[Object]) -> Object:
    """The ClusterServiceVersion of the manifest's objects."""
    described = chart()
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": name_of(described["version"]),
            "annotations": _annotations(described, operator_image(objects)),
            "labels": {"operatorframework.io/arch.amd64": "supported", "operatorframework.io/os.linux": "supported"},
        },
        "spec": {
            **_shown(described),
            "installModes": [
                {"type": mode, "supported": mode == "AllNamespaces"}
                for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
            ],
            "customresourcedefinitions": {
                "owned": [each for crd in of_kind(objects, "CustomResourceDefinition") for each in _owned(crd)]
            },
            "webhookdefinitions": webhooks(objects),
            "install": install(objects),
            "relatedImages": [{"name": "operator", "image": operator_image(objects)}],
        },
    }


def name_of(version: str) -> str:
    """What the bundle of a version is called."""
    return f"{PACKAGE}.v{version}"


def operator_image(objects: list[Object]) -> str:
    """The image that the operator's Deployment runs."""
    pod = named(objects, "Deployment", OPERATOR)["spec"]["template"]["spec"]
    return str(pod["containers"][0]["image"])


def icon() -> dict[str, str]:
    """Picture and its type, as ClusterServiceVersion and catalogue hold them."""
    drawn = (Path(__file__).parent / "icon.svg").read_bytes()
    return {"base64data": base64.b64encode(drawn).decode(), "mediatype": "image/svg+xml"}


def _annotations(described: Object, image: str) -> dict[str, str]:
    return {
        "alm-examples": json.dumps(examples(), indent=1),
        "capabilities": described["annotations"]["artifacthub.io/operatorCapabilities"],
        "categories": "AI/Machine Learning",
        "containerImage": image,
        "createdAt": CREATED,
        "description": described["description"],
        "operatorframework.io/suggested-namespace": NAMESPACE,
        "operators.operatorframework.io/internal-objects": json.dumps(_INTERNAL),
        "repository": REPOSITORY,
        "support": f"{REPOSITORY}/issues",
    }


def _shown(described: Object) -> dict[str, Any]:
    """What consoles show of the operator as a whole."""
    version = described["version"]
    return {
        "displayName": "AIM GPU Sharing",
        "description": _DESCRIPTION.format(
            summary=described["description"], repository=REPOSITORY, version=version, namespace=NAMESPACE, docs=_DOCS
        ),
        "version": version,
        "maturity": "alpha",
        "minKubeVersion": described["kubeVersion"].removeprefix(">=").removesuffix("-0"),
        "keywords": described["keywords"],
        "provider": {"name": "AMD", "url": "https://www.amd.com"},
        "maintainers": [{"name": "AMD Enterprise AI", "email": "amd-enterprise-ai@users.noreply.github.com"}],
        "links": [
            {"name": "Source", "url": REPOSITORY},
            {"name": "Installing by OLM", "url": f"{_DOCS}/olm.md"},
            {"name": "Reference of all fields", "url": f"{_DOCS}/api-reference.md"},
            {"name": "Runbooks of the alerts", "url": f"{_DOCS}/runbooks/README.md"},
        ],
        "icon": [icon()],
    }


def _owned(crd: Object) -> list[dict[str, Any]]:
    names, spec = crd["spec"]["names"], crd["spec"]
    owned = []
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        owned.append(
            {
                "name": crd["metadata"]["name"],
                "kind": names["kind"],
                "version": version["name"],
                "displayName": _TITLES[names["kind"]] + ("" if version["storage"] else ", flat"),
                "description": schema["description"],
                "resources": [
                    {"kind": kind, "name": "", "version": group} for kind, group in _RESOURCES[names["kind"]]
                ],
                "specDescriptors": descriptors(schema, "spec", without=OPERATORS_OWN.get(names["kind"], ())),
                "statusDescriptors": descriptors(schema, "status"),
            }
        )
    return owned

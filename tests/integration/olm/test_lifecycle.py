"""OLM's own controllers install the operator from the catalogue, it works, and the next version takes its place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from api.group import CLAIM_PREFIX, ENGINE_LABEL, GATE, GPU_SHARING, MODEL_ID
from e2e.image import BuiltImage
from e2e.olm.lifecycle import Lifecycle, Wanted, lifecycle
from e2e.plane import Plane
from e2e.plane.errors import AdminError
from olm.catalogue import Bundle, self_contained
from olm.files import beside, bundle
from olm.service_version import operator_image
from olm.sources import CHANNEL, NAMESPACE, OPERATOR, PACKAGE, examples, manifest
from tests.olm.versions import following

pytestmark = [
    pytest.mark.plane,
    pytest.mark.needs_kubelet,
    pytest.mark.needs_debian,
    pytest.mark.node_e2e,
    pytest.mark.timeout(900),
]

Object = dict[str, Any]
WANTED = Wanted(PACKAGE, CHANNEL, NAMESPACE)
INSTALL_SECONDS = 300
PODS = "/api/v1/namespaces/default/pods"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plane on which OLM has installed the first of two versions."""

    plane: Plane
    olm: Lifecycle
    first: Bundle
    second: Bundle
    service_version: Object


def of_image(made: Bundle, image: str) -> Bundle:
    """The bundle with the image that this node has."""
    text = json.dumps(made.service_version).replace(operator_image(manifest()), image)
    return Bundle(json.loads(text), made.crds, made.others)


@pytest.fixture(scope="module")
def installed(our_image: BuiltImage, olm_controllers: Mapping[str, Any]) -> Iterator[Installed]:
    with Plane(real_nodes=1) as plane:
        for node in plane.nodes:
            node.import_images(our_image.archive)
        plane.admin.apply(beside())
        first = of_image(bundle(), our_image.name)
        with lifecycle(plane) as olm:
            olm.serve(self_contained([first]))
            olm.subscribe(WANTED)
            service_version = olm.wait_installed(WANTED, first.name, INSTALL_SECONDS)
            yield Installed(plane, olm, first, following(first), service_version)


def operator_pods(plane: Plane) -> list[Object]:
    items = plane.admin.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
    return [each for each in items if each["metadata"]["labels"].get("app.kubernetes.io/name") == OPERATOR]


def test_the_operator_runs_with_the_certificate_of_olm(installed: Installed) -> None:
    assert installed.service_version["status"]["message"] == "install strategy completed with no errors"
    for each in operator_pods(installed.plane):
        assert {found["ready"] for found in each["status"]["containerStatuses"]} == {True}
        assert {found["restartCount"] for found in each["status"]["containerStatuses"]} == {0}
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        hooks = [hook for each in installed.plane.admin.get(f"{WEBHOOKS}/{kind}")["items"] for hook in each["webhooks"]]
        assert hooks
        assert all(hook["clientConfig"]["caBundle"] for hook in hooks)


def test_the_pod_webhook_answers(installed: Installed) -> None:
    annotations = {GPU_SHARING: "true", MODEL_ID: "Qwen/Qwen3-8B"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "opted-in", "annotations": annotations},
        "spec": {"containers": [{"name": "engine", "image": "engine"}]},
    }
    made = installed.plane.admin.create(f"{PODS}?dryRun=All", pod)
    assert {"name": GATE} in made["spec"]["schedulingGates"]
    assert made["metadata"]["labels"][ENGINE_LABEL] == "true"
    assert [each["resourceClaimName"][: len(CLAIM_PREFIX)] for each in made["spec"]["resourceClaims"]] == [CLAIM_PREFIX]


MADE_BY_THE_OPERATOR = "GPUPartitionClaim"
FOR_PEOPLE = [each for each in examples() if each["kind"] != MADE_BY_THE_OPERATOR]


@pytest.mark.parametrize("example", FOR_PEOPLE, ids=lambda each: f"{each['kind']} {each['apiVersion'][-8:]}")
def test_consoles_examples_are_taken(installed: Installed, example: Object) -> None:
    """Those of the flat version by the conversion webhook."""
    admin = installed.plane.admin
    path = admin.path_of(example).rpartition("/")[0]
    assert admin.create(f"{path}?dryRun=All", example)["kind"] == example["kind"]


def test_a_claim_is_no_persons_to_make(installed: Installed) -> None:
    (example,) = (each for each in examples() if each["kind"] == MADE_BY_THE_OPERATOR)
    path = installed.plane.admin.path_of(example).rpartition("/")[0]
    with pytest.raises(AdminError, match="the operator, who alone makes claims"):
        installed.plane.admin.create(f"{path}?dryRun=All", example)


def test_the_next_version_takes_its_place(installed: Installed) -> None:
    before = {each["metadata"]["uid"] for each in installed.plane.admin.get(f"{PODS}")["items"]}
    installed.olm.serve(self_contained([installed.first, installed.second]))
    upgraded = installed.olm.wait_installed(WANTED, installed.second.name, INSTALL_SECONDS)
    assert upgraded["spec"]["replaces"] == installed.first.name
    installed.olm.wait_gone(WANTED, installed.first.name, INSTALL_SECONDS)
    # OLM looks at what the version needs once more when the one before has left
    installed.olm.wait_installed(WANTED, installed.second.name, INSTALL_SECONDS)
    assert list(installed.olm.versions(WANTED)) == [installed.second.name]
    assert {each["metadata"]["uid"] for each in installed.plane.admin.get(f"{PODS}")["items"]} == before
    test_the_pod_webhook_answers(installed)

"""OLM's own controllers resolve, install and upgrade, on simulated nodes: pods become Ready, no container runs."""

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.olm.lifecycle import Wanted, lifecycle
from e2e.plane import Plane
from e2e.run.install import add_gpu_nodes
from olm.catalogue import self_contained
from olm.files import beside, bundle
from olm.sources import CHANNEL, NAMESPACE, PACKAGE
from tests.olm.versions import following

# the long part although no real node is needed: OLM's controllers take minutes to build
pytestmark = [pytest.mark.plane, pytest.mark.node_e2e, pytest.mark.timeout(600)]

WANTED = Wanted(PACKAGE, CHANNEL, NAMESPACE)
LIMIT_SECONDS = 200
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"


def test_a_subscription_installs_and_the_next_version_replaces(olm_controllers: Mapping[str, Any]) -> None:
    first = bundle()
    second = following(first)
    with Plane() as plane:
        plane.admin.apply(beside())
        add_gpu_nodes(plane, ["gpu-a", "gpu-b"])
        with lifecycle(plane) as olm:
            olm.serve(self_contained([first]))
            olm.subscribe(WANTED)
            installed = olm.wait_installed(WANTED, first.name, LIMIT_SECONDS)
            assert "replaces" not in installed["spec"]
            for kind, described in (("mutatingwebhookconfigurations", 1), ("validatingwebhookconfigurations", 3)):
                items = plane.admin.get(f"{CONFIGURATIONS}/{kind}")["items"]
                hooks = [hook for each in items for hook in each["webhooks"]]
                assert [bool(hook["clientConfig"]["caBundle"]) for hook in hooks] == [True] * described
            olm.serve(self_contained([first, second]))
            assert olm.wait_installed(WANTED, second.name, LIMIT_SECONDS)["spec"]["replaces"] == first.name
            olm.wait_gone(WANTED, first.name, LIMIT_SECONDS)
            # OLM looks at what the version needs once more when the one before has left
            olm.wait_installed(WANTED, second.name, LIMIT_SECONDS)
            assert list(olm.versions(WANTED)) == [second.name]

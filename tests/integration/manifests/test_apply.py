"""Our manifests as docs/deploying.md has people apply them: with plain kubectl, on a cluster that has none of it."""

from collections.abc import Iterator

import pytest

from e2e.plane import Plane
from e2e.run.install import CRD_FILES, MANIFESTS, kubectl

pytestmark = pytest.mark.plane


@pytest.fixture(scope="module")
def empty_plane() -> Iterator[Plane]:
    """A control plane of its own: on the one of the run, others may have made the namespace already."""
    with Plane() as started:
        yield started


def test_crds_and_manifests_go_in_at_the_first_try(empty_plane: Plane) -> None:
    kubectl(empty_plane, "apply", "--server-side", "-f", str(CRD_FILES[0].parent))
    told = kubectl(empty_plane, "apply", "--server-side", "-f", str(MANIFESTS))  # raises when one thing was refused

    assert told.splitlines()[0] == "namespace/aim-gpu-system serverside-applied"

"""Our manifests as docs/deploying.md has people apply them: with plain kubectl, on a cluster that has none of it."""

from collections.abc import Iterator

import pytest

from e2e.chart import installed
from e2e.plane import Plane
from e2e.run.install import kubectl

pytestmark = pytest.mark.plane


@pytest.fixture(scope="module")
def empty_plane() -> Iterator[Plane]:
    """A control plane of its own: on the one of the run, others may have made the namespace already."""
    with Plane() as started:
        yield started


def test_all_that_goes_together_goes_in_at_the_first_try(empty_plane: Plane) -> None:
    told = [
        kubectl(empty_plane, "apply", "--server-side", "-f", str(installed.FOLDER / file))  # raises when one is refused
        for file in installed.ALL
    ]

    assert told[0].splitlines()[0] == "namespace/aim-gpu-system serverside-applied"
    assert sum(len(lines.splitlines()) for lines in told) == len(installed.objects())


@pytest.mark.parametrize("file", ["agent-repartition.yaml", "agent-simulate.yaml"])
def test_agents_of_another_mode_take_the_place_of_those_that_report(empty_plane: Plane, file: str) -> None:
    kubectl(empty_plane, "apply", "--server-side", "-f", str(installed.FOLDER / "install.yaml"))

    told = kubectl(empty_plane, "apply", "--server-side", "-f", str(installed.FOLDER / file))

    assert "daemonset.apps/aim-gpu-agent serverside-applied" in told.splitlines()
    agents = empty_plane.admin.get("/apis/apps/v1/namespaces/aim-gpu-system/daemonsets")["items"]
    want = installed.the("DaemonSet", "aim-gpu-agent", file)
    (volumes,) = (one["spec"]["template"]["spec"]["volumes"] for one in agents)
    assert {one["name"] for one in volumes} == {one["name"] for one in want["spec"]["template"]["spec"]["volumes"]}

"""A cluster for the chart on this machine: a control plane and one node that runs containers, with our image on it."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.chart.helm import CHART, NAMESPACE
from e2e.image import build_image
from e2e.plane import Plane, Progress, ensure_binaries, kserve_wanted, wanted_families
from e2e.plane.node import BUSYBOX_IMAGE
from e2e.plane.node.packages import ensure_packages
from e2e.plane.node.preflight import check as check_for_nodes
from e2e.plane.programs import NODE_FAMILIES
from e2e.suite.former import NoSuchCommit, build_former_image

KUBECONFIG = Path("build/e2e/kubeconfig")
"""Where a person finds it."""
FIRST_MODEL = CHART.parents[1] / "examples/first-model/without-a-gpu.yaml"
_LOOK_SECONDS = 1.0


@contextmanager
def local_plane(kubeconfig: Path, *, former: bool) -> Iterator[Plane]:
    """Start it, name it in the environment as any other cluster is named, and end it. Raises PlaneError, ImageError.

    `former`: with the last release's image as well, where an upgrade begins.
    """
    check_for_nodes()
    ensure_packages(Progress())
    binaries = ensure_binaries(Progress(), families=(*wanted_families(), *NODE_FAMILIES))
    image = build_image(Progress())
    archives = [image.archive, *(_former_image() if former else [])]
    kubeconfig = kubeconfig.resolve()
    with Plane(binaries=binaries, kserve=kserve_wanted(), real_nodes=1) as plane:
        for node in plane.nodes:
            for archive in archives:
                node.import_images(archive)
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        kubeconfig.touch(mode=0o600)
        shutil.copyfile(plane.kubeconfig, kubeconfig)
        # kubectl keeps what it learnt of a server under its address, which another plane may have had.
        os.environ |= {
            "KUBECONFIG": str(kubeconfig),
            "KUBECACHEDIR": str(plane.folder / "kubectl"),
            "AIM_E2E_IMAGE": image.name,
            "AIM_E2E_ENGINE_IMAGE": BUSYBOX_IMAGE,
        }
        try:
            yield plane
        finally:
            kubeconfig.unlink()


def _former_image() -> list[Path]:
    """The archive of the last release's image, which scenarios of an upgrade begin with; without it they say why."""
    try:
        built = build_former_image(Progress())
    except NoSuchCommit as error:
        os.environ["AIM_E2E_NO_FORMER_IMAGE"] = str(error)
        return []
    os.environ["AIM_E2E_FORMER_IMAGE"] = built.name
    return [built.archive]


def look_on(plane: Plane) -> int:
    """Tell a person how the chart is tried, and wait for Ctrl-C or SIGTERM; exit code 0. Raises PlaneError."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stdout.write(welcome(os.environ["HELM"], os.environ["AIM_E2E_IMAGE"], plane.nodes[0].name))
    sys.stdout.flush()
    try:
        while True:
            time.sleep(_LOOK_SECONDS)
            plane.check()
    except KeyboardInterrupt:
        return 0


def welcome(helm: str, image: str, node: str) -> str:
    """From nothing to a model that runs, in four commands."""
    repository, _, tag = image.rpartition(":")
    return (
        f"The cluster is ready: node {node} runs containers, {image} and {BUSYBOX_IMAGE} are there.\n\n"
        f"  export KUBECONFIG={KUBECONFIG.resolve()}\n\n"
        f"  {helm} install aim-gpu-sharing {CHART} -n {NAMESPACE} --create-namespace --wait \\\n"
        f"    --set image.repository={repository},image.tag={tag},agent.mode=simulate\n"
        f"  kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=privileged\n"
        f"  kubectl label node {node} aim.amd.com/managed=true\n"
        f"  kubectl apply -f {FIRST_MODEL}\n\n"
        "Ctrl-C stops it and removes it.\n"
    )

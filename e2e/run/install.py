"""Installs what the chart has around our processes on a plane as its administrator would: kubectl, server-side.

CRDs come first and are waited for, then rights, guards and webhooks with namespaces leading. Applying twice changes
nothing.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.chart.installed import around_processes
from e2e.plane import NodeShape, Plane, add_nodes
from e2e.plane.admin import documents
from e2e.run.errors import InstallError
from e2e.run.webhook_addresses import forget_addresses

ROOT = Path(__file__).parents[2]
CRD_FILES = tuple(sorted((ROOT / "charts/aim-gpu-sharing/files/crds").glob("*.yaml")))
"""Also to be given to `Plane(manifests=...)`: garbage collection then knows the kinds from its start."""

SYSTEM_NAMESPACE = "aim-gpu-system"
MANAGED = "aim.amd.com/managed"

_APPLY_SECONDS = 60
_FIRST_KINDS = ("Namespace", "ServiceAccount")
GPU_SERVER = NodeShape(cpu="192", memory="2Ti", pods="500", labels={MANAGED: "true"})
"""A server with GPUs that the operator manages."""


Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Installation:
    """What was applied, as `Kind/name`, in order."""

    applied: tuple[str, ...]


def install(plane: Plane) -> Installation:
    """Apply CRDs and what is around our processes, and return when the kinds are served. Raises InstallError."""
    crds = [document for file in CRD_FILES for document in documents(file)]
    forget_addresses(plane)
    kubectl(plane, "apply", *_SERVER_SIDE, text=yaml.safe_dump_all(crds))
    wait = ("wait", "--for=condition=Established", "--timeout=30s", "-f", "-")
    kubectl(plane, *wait, text=yaml.safe_dump_all(crds))
    rest = ordered(around_processes())
    kubectl(plane, "apply", *_SERVER_SIDE, text=yaml.safe_dump_all(rest))
    return Installation(tuple(f"{obj['kind']}/{obj['metadata']['name']}" for obj in (*crds, *rest)))


_SERVER_SIDE = ("--server-side", "--force-conflicts", "-f", "-")


def apply_objects(plane: Plane, objects: Iterable[Mapping[str, Any]]) -> None:
    """Apply objects, namespaces first. Raises InstallError."""
    kubectl(plane, "apply", *_SERVER_SIDE, text=yaml.safe_dump_all(ordered(map(dict, objects))))


def ordered(objects: Iterable[Object]) -> list[Object]:
    """Namespaces first, then ServiceAccounts, the rest as it comes."""
    rank = {kind: index for index, kind in enumerate(_FIRST_KINDS)}
    return sorted(objects, key=lambda obj: rank.get(obj["kind"], len(rank)))


def kubectl(plane: Plane, *arguments: str, text: str | None = None) -> str:
    """Run kubectl as the plane's administrator; gives its stdout. Raises InstallError with its stderr."""
    command = kubectl_command(plane, *arguments)
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_APPLY_SECONDS, check=False)
    except FileNotFoundError:
        raise InstallError(f"{command[0]} is not there: run `make env`") from None
    except subprocess.TimeoutExpired:
        raise InstallError(f"kubectl {arguments[0]}: no answer within {_APPLY_SECONDS} s") from None
    if done.returncode != 0:
        raise InstallError(f"kubectl {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def kubectl_command(plane: Plane, *arguments: str) -> list[str]:
    """How kubectl is called for the plane.

    Its discovery cache lives in the plane's folder: a port that is used again must not bring old answers.
    """
    program = Path(sys.executable).with_name("kubectl")
    return [str(program), f"--kubeconfig={plane.kubeconfig}", f"--cache-dir={plane.folder / 'kubectl'}", *arguments]


def add_gpu_nodes(plane: Plane, nodes: Iterable[str] | Mapping[str, str], shape: NodeShape = GPU_SERVER) -> None:
    """Create simulated GPU servers by name (a mapping's keys) and wait until they are Ready.

    Only the Nodes: the operator makes their GPUNodes, the agents (`start_agents`) report the GPUs.
    """
    add_nodes(plane, list(nodes), shape)

"""What the bundle is made from: the manifest without Helm, the chart's metadata, and the examples."""

from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parent.parent
MANIFEST: Final = ROOT / "charts/install/install.yaml"
OPERATOR: Final = "aim-gpu-operator"
NAMESPACE: Final = "aim-gpu-system"
PACKAGE: Final = "aim-gpu-sharing"
CHANNEL: Final = "candidate"
"""Called as OLM's conventions have it: what is not yet recommended to everybody."""

Object = dict[str, Any]
"""A Kubernetes object as YAML reads it."""

_SHOWN: Final = (
    "olm/examples/inference-service.yaml",
    "olm/examples/v1alpha1.yaml",
    "examples/repartition/policy.yaml",
    "examples/model-profile.yaml",
    "examples/repartition/dry-run.yaml",
    "olm/examples/gpu-node.yaml",
    "olm/examples/gpu-partition-claim.yaml",
)
"""Files of examples, in the order in which consoles show them."""


def manifest() -> list[Object]:
    """The objects of the manifest, in its order."""
    return _read(MANIFEST)


def chart() -> Object:
    """The chart's own description: version, keywords, capabilities."""
    (found,) = _read(ROOT / "charts/aim-gpu-sharing/Chart.yaml")
    return found


def examples() -> list[Object]:
    """One object of every kind and version that users or consoles meet."""
    return [found for name in _SHOWN for found in _read(ROOT / name)]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of these kinds."""
    return [found for found in objects if found["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The only one of a kind with this name; LookupError names what is missing."""
    for found in of_kind(objects, kind):
        if found["metadata"]["name"] == name:
            return found
    raise LookupError(f"{MANIFEST.name}: no {kind} {name}; write it by make generate")


def _read(path: Path) -> list[Object]:
    return [found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found]

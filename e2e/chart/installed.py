"""The chart's objects as `charts/install` has them, read without Helm: for local runs and for most tests.

`python -m e2e.chart.installed` prints what an operator outside the cluster needs, for kubectl to apply.
"""

import sys
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.chart.helm import CHART, loaded
from e2e.chart.install_manifest import INSTALL

Object = dict[str, Any]

FOLDER: Final = CHART.parent / "install"
GATEWAY: Final = "gateway.yaml"
EXPORTER: Final = "exporter.yaml"
UI: Final = "ui.yaml"
AGENT_SIMULATE: Final = "agent-simulate.yaml"
ALL: Final = (INSTALL, GATEWAY, EXPORTER, UI)
"""The manifests whose objects can be there together."""

_PROCESSES: Final = ("Deployment", "DaemonSet")
_OF_PROCESSES: Final = (*_PROCESSES, "Service", "PodDisruptionBudget", "NetworkPolicy")


def objects(*files: str, kind: str | None = None, name: str | None = None) -> list[Object]:
    """Those of manifests, by default of all that go together; the caller's own to change. Raises OSError, YAMLError."""
    return [
        deepcopy(one)
        for file in files or ALL
        for one in _read(FOLDER / file)
        if kind in (None, one["kind"]) and name in (None, one["metadata"]["name"])
    ]


def the(kind: str, name: str, *files: str) -> Object:
    """The only one of that kind and name. Raises LookupError."""
    found = objects(*files, kind=kind, name=name)
    if len(found) != 1:
        raise LookupError(f"{kind} {name}: {len(found)} of it in {', '.join(files or ALL)} of {FOLDER}")
    return found[0]


def around_processes() -> list[Object]:
    """Namespaces, accounts, rights, guards, webhooks and device class: what processes need outside the cluster too.

    Agents have the rights of those that pretend GPUs.
    """
    found = {_key(one): one for file in (*ALL, AGENT_SIMULATE) for one in objects(file)}
    return [one for one in found.values() if one["kind"] not in (*_OF_PROCESSES, "CustomResourceDefinition")]


def process(name: str, file: str = INSTALL) -> list[Object]:
    """The pods of one process by its name, as aim-gpu-operator, and what leads to them and confines them."""
    return [one for one in objects(file) if one["kind"] in _OF_PROCESSES and name in _selected(one)]


def with_image(found: Iterable[Object], image: str) -> Iterator[Object]:
    """The same objects, whose containers are all of `image`."""
    for one in found:
        changed = deepcopy(one)
        if one["kind"] in _PROCESSES:
            pod = changed["spec"]["template"]["spec"]
            for container in (*pod.get("initContainers", ()), *pod["containers"]):
                container["image"] = image
        yield changed


def _key(one: Object) -> tuple[str, str, str]:
    """By which an object replaces one that was applied before it."""
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _selected(one: Object) -> Iterable[str]:
    """The labels' values by which an object chooses pods."""
    spec = one["spec"]
    selector = spec.get("podSelector") or spec["selector"]
    labels: dict[str, str] = selector.get("matchLabels", selector)
    return labels.values()


@cache
def _read(file: Path) -> list[Object]:
    return loaded(file.read_text(encoding="utf-8"))


def main() -> None:
    """Print them."""
    yaml.safe_dump_all(around_processes(), sys.stdout)


if __name__ == "__main__":
    main()

"""Faults planted into a copy of the chart, each of which the scenarios must notice: a table, and how one is planted."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from e2e.chart.helm import CHART


@dataclass(frozen=True, slots=True)
class Fault:
    """`file` of the chart has `good` exactly once, and `bad` in its place; `scenarios`: the files that must notice."""

    name: str
    file: str
    good: str
    bad: str
    scenarios: tuple[str, ...] = ("test_install.py",)


FAULTS = (
    Fault("a misspelt argument", "templates/_helpers.tpl", "--kubelet-plugin=dra", "--kubelet-plugins=dra"),
    Fault(
        "a wrong probe port",
        "templates/_helpers.tpl",
        "  httpGet: {path: /readyz, port: health}",
        "  httpGet: {path: /readyz, port: metrics}",
    ),
    Fault("a missing env", "templates/agent.yaml", "            - name: NODE_NAME\n", "            - name: NODE\n"),
    Fault(
        "a missing verb of the operator's rights",
        "templates/operator-rbac.yaml",
        "    resources: [resourceclaims]\n    verbs: [get, list, watch, create, delete]",
        "    resources: [resourceclaims]\n    verbs: [get, list, watch, delete]",
        ("test_models.py",),
    ),
    Fault(
        "a hook Job that never runs",
        "templates/uninstall.yaml",
        '"helm.sh/hook" "pre-delete"',
        '"helm.sh/hook" "post-rollback"',
        ("test_uninstall.py",),
    ),
)


def plant(fault: Fault, folder: Path) -> Path:
    """A copy of the chart in `folder` that has the fault. Raises ValueError when the chart has no such place."""
    copied = folder / CHART.name
    shutil.copytree(CHART, copied)
    file = copied / fault.file
    text = file.read_text(encoding="utf-8")
    if text.count(fault.good) != 1:
        raise ValueError(
            f"{fault.name}: {fault.file} has {fault.good!r} {text.count(fault.good)} times, once was expected"
        )
    file.write_text(text.replace(fault.good, fault.bad), encoding="utf-8")
    return copied

"""The chart on a plane, by Helm, without waiting: there are no nodes, so that no pod runs."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from e2e.chart import NAMESPACE, Helm
from e2e.plane import Plane

RELEASE = "models"
LIMIT_SECONDS = 120


def installed(plane: Plane, helm: Helm, *options: str, values: Mapping[str, Any] | None = None) -> str:
    """What Helm says against an installation or an upgrade; empty when it did it."""
    words = ("upgrade", "--install", RELEASE, str(helm.chart), "--values", "-")
    return _complaint(plane, helm, *words, *options, text=json.dumps(values or {}))


def rolled_back(plane: Plane, helm: Helm) -> str:
    """What Helm says against the revision before; empty when it went back to it."""
    return _complaint(plane, helm, "rollback", RELEASE)


def _complaint(plane: Plane, helm: Helm, *words: str, text: str | None = None) -> str:
    where = ("--namespace", NAMESPACE, "--no-hooks", "--kubeconfig", str(plane.kubeconfig))
    done = subprocess.run(
        [str(helm.binary), *words, *where],
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return done.stderr if done.returncode else ""

"""The chart as a release on the cluster: what a platform engineer does with Helm."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from e2e.chart.helm import CHART, NAMESPACE, RELEASE
from e2e.suite.cluster import run

READY_SECONDS = int(os.environ.get("AIM_E2E_READY_SECONDS", "240"))
"""How long all pods may take to be ready, on machines that pull the image first."""


@dataclass(frozen=True, slots=True)
class Release:
    """`helm`: the program. `image`: "repository:tag" of our image, None for the chart's own. `chart`: its folder."""

    helm: str = "helm"
    image: str | None = None
    chart: Path = field(default=CHART)

    def values(self) -> dict[str, Any]:
        """What every scenario needs: simulated GPUs, and the image at hand."""
        wanted: dict[str, Any] = {"agent": {"mode": "simulate"}}
        if self.image:
            repository, _, tag = self.image.rpartition(":")
            wanted["image"] = {"repository": repository, "tag": tag}
        return wanted

    def install(self, *options: str) -> str:
        """Install or upgrade, and wait; what Helm says. Raises CommandFailed."""
        command = ["upgrade", "--install", "--create-namespace", "--wait", RELEASE, str(self.chart), "--values", "-"]
        return self._run(*command, *options, text=json.dumps(self.values()))

    def upgrade(self, *options: str) -> str:
        """Upgrade with the values that the release has, and wait; what Helm says. Raises CommandFailed."""
        return self._run("upgrade", "--wait", RELEASE, str(self.chart), *options)

    def rollback(self) -> str:
        """Back to the revision before, and wait; what Helm says. Raises CommandFailed."""
        return self._run("rollback", "--wait", RELEASE)

    def installed(self) -> bool:
        """Whether the cluster has the release. Raises CommandFailed."""
        listed = [self.helm, "list", f"--filter=^{RELEASE}$", "--all", "--output=json", "--namespace", NAMESPACE]
        return bool(json.loads(run(listed)))

    def version(self) -> str:
        """The chart's own."""
        return str(yaml.safe_load((self.chart / "Chart.yaml").read_text(encoding="utf-8"))["version"])

    def test(self) -> str:
        """`helm test`; what it says, the pod's log with it. Raises CommandFailed with the same."""
        return self._run("test", RELEASE)

    def uninstall(self) -> str:
        """Uninstall, and wait; what Helm says, the Job's log with it. Raises CommandFailed."""
        return self._run("uninstall", "--wait", RELEASE)

    def _run(self, *command: str, text: str | None = None) -> str:
        limits = [f"--timeout={READY_SECONDS}s", "--namespace", NAMESPACE]
        # Helm tells logs of hooks on stderr
        return run([self.helm, *command, *limits], text=text, limit_seconds=READY_SECONDS + 10, stderr=True)

"""Helm as a process: it renders, lints and packages our chart."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from e2e.plane import PlaneError, ensure_binaries
from e2e.plane.programs import HELM

CHART: Final = Path(__file__).parents[2] / "charts" / "aim-gpu-sharing"
NAMESPACE: Final = "aim-gpu-system"
RELEASE: Final = "aim-gpu-sharing"
_LIMIT_SECONDS = 120

Values = Mapping[str, Any]
Object = dict[str, Any]


class ChartRefused(PlaneError):
    """Helm took neither chart nor values; what it said is the text."""


@dataclass(frozen=True, slots=True)
class Helm:
    """The program `helm` at `binary`, asked about the chart in the folder `chart`."""

    binary: Path
    chart: Path = CHART

    @classmethod
    def built(cls) -> Self:
        """The one of the cache, built if it is not there yet. Raises PlaneError's tree."""
        return cls(ensure_binaries(families=(HELM,))["helm"])

    def render(
        self,
        values: Values | None = None,
        *,
        namespace: str = NAMESPACE,
        options: Sequence[str] = (),
    ) -> str:
        """All objects as YAML. Raises ChartRefused."""
        asked = ["template", RELEASE, str(self.chart), "--namespace", namespace, "--values", "-", *options]
        return self._told(asked, json.dumps(dict(values or {})))

    def objects(
        self,
        values: Values | None = None,
        *,
        namespace: str = NAMESPACE,
        options: Sequence[str] = (),
    ) -> list[Object]:
        """The same, read. Raises ChartRefused."""
        return loaded(self.render(values, namespace=namespace, options=options))

    def lint(self, values: Values | None = None) -> str:
        """What `helm lint --strict` says of the chart with these values. Raises ChartRefused where it finds fault."""
        asked = ["lint", "--strict", str(self.chart), "--namespace", NAMESPACE, "--values", "-"]
        return self._told(asked, json.dumps(dict(values or {})))

    def _told(self, arguments: Sequence[str], given: str) -> str:
        done = subprocess.run(
            [str(self.binary), *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ChartRefused(f"helm {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def loaded(text: str) -> list[Object]:
    """The objects of a YAML stream; documents without any are left out."""
    return [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]

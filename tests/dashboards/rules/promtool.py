"""Cases for alerts, as `promtool test rules` takes them: series in its notation, and what is told at which minute.

All series are of cluster c1, sampled and evaluated once a minute unless a case says otherwise; ``1x5 0x9`` is 1 in
minutes 0 to 5 and 0 in the ten after.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dashboards.documentation import runbook
from dashboards.rules.alerts import alerts, groups, recordings
from dashboards.rules.pace import REAL

CLUSTER = "c1"
SEVERITY = {one.name: one.severity.value for one in alerts()}
SUMMARY = {one.name: one.summary for one in alerts()}
EVALUATED = [group.manifest(REAL)["name"] for group in groups()]


@dataclass(frozen=True)
class Fired:
    """One alert that stands: its labels beside cluster and severity, and its description but for the cluster."""

    labels: Mapping[str, str]
    description: str
    cluster: str = CLUSTER

    def expected(self, alert: str) -> dict[str, Any]:
        """As promtool wants it."""
        known = {"cluster": self.cluster} if self.cluster else {}
        end = f" Cluster: {self.cluster}." if self.cluster else ""
        return {
            "exp_labels": {**self.labels, **known, "severity": SEVERITY[alert]},
            "exp_annotations": {
                "summary": SUMMARY[alert],
                "description": self.description + end,
                "runbook_url": runbook(alert),
            },
        }


@dataclass(frozen=True)
class Case:
    """What happens to some series, and what an alert says then. Keys of `fires` and `silent` are minutes.

    `step`: minutes between samples, and between evaluations: 5 for what takes days, at most.
    """

    alert: str
    title: str
    series: Mapping[str, str]
    fires: Mapping[int, Sequence[Fired]] = field(default_factory=dict)
    silent: Sequence[int] = ()
    step: int = 1

    def __str__(self) -> str:
        return f"{self.alert}: {self.title}"

    def test(self) -> dict[str, Any]:
        """As promtool wants it."""
        told: dict[int, Sequence[Fired]] = dict.fromkeys(self.silent, ()) | dict(self.fires)
        return {
            "name": str(self),
            "interval": f"{self.step}m",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [
                {
                    "eval_time": f"{minute}m",
                    "alertname": self.alert,
                    "exp_alerts": [one.expected(self.alert) for one in fired],
                }
                for minute, fired in sorted(told.items())
            ],
        }


def of(metric: str, cluster: str = CLUSTER, /, **labels: str) -> str:
    """A series."""
    pairs = {"cluster": cluster, **labels} if cluster else labels
    matchers = ", ".join(f'{name}="{value}"' for name, value in pairs.items())
    return f"{metric}{{{matchers}}}"


def by_step(cases: Iterable[Case]) -> list[list[Case]]:
    """Those that are evaluated equally often, which may stand in one file."""
    found: dict[int, list[Case]] = {}
    for case in cases:
        found.setdefault(case.step, []).append(case)
    return list(found.values())


def together(cases: Sequence[Case]) -> list[Case]:
    """The same with all that are never to fire as one, each in clusters of its own: promtool takes half as long."""
    firing, quiet = ([case for case in cases if bool(case.fires) is fires] for fires in (True, False))
    if not quiet:
        return firing
    series = {
        name.replace('{cluster="', f'{{cluster="{index}-'): values
        for index, case in enumerate(quiet)
        for name, values in case.series.items()
    }
    minutes = sorted({minute for case in quiet for minute in case.silent})
    return [*firing, Case(quiet[0].alert, "never", series, silent=minutes, step=quiet[0].step)]


def write(folder: Path, name: str, rules: Sequence[Mapping[str, Any]], cases: Iterable[Case]) -> Path:
    """A file of cases of one step beside a file of these rules and the recorded series that they look at; without rules, of
    all recorded series."""
    cases = list(cases)
    (step,) = {case.step for case in cases} or {1}
    asked = [str(rule["expr"]) for rule in rules]
    looked_at = [one for one in recordings() if not asked or any(one.name in expression for expression in asked)]
    recorded = {"name": EVALUATED[0], "rules": [one.manifest(REAL) for one in looked_at]}
    present = [*([recorded] if looked_at else []), {"name": "alerts", "rules": list(rules)}]
    content = {"groups": present}
    # JSON is YAML, and written ten times as fast.
    (folder / f"{name}.rules.yaml").write_text(json.dumps(content))
    path = folder / f"{name}.test.yaml"
    tests = {
        "rule_files": [f"{name}.rules.yaml"],
        "evaluation_interval": f"{step}m",
        "group_eval_order": [group["name"] for group in present],
        "tests": [case.test() for case in cases],
    }
    path.write_text(json.dumps(tests))
    return path


@dataclass(frozen=True)
class Verdicts:
    """What promtool said of each file of cases, and all it said."""

    passed: frozenset[str]
    failed: frozenset[str]
    output: str


def judge(promtool: Path, files: Sequence[Path]) -> Verdicts:
    """Run the cases of every file at once."""
    done = subprocess.run(
        [promtool, "test", "rules", *(path.name for path in files)],
        cwd=files[0].parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout
    passed, failed, present = set(), set(), ""
    for line in output.splitlines():
        if line.startswith("Unit Testing:"):
            present = line.removeprefix("Unit Testing:").strip()
        elif line.strip() == "SUCCESS":
            passed.add(present)
        elif line.strip().startswith("FAILED"):
            failed.add(present)
    return Verdicts(frozenset(passed), frozenset(failed), output)

"""What Prometheus is told to read, and how: as a cluster's would be told, but once a second. Pure.

Metrics are read over HTTPS with a ServiceAccount's token, which RBAC lets read `/metrics`. The certificate is each
process's own, so it is not verified; our labels stay as they are (`honor_labels`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """One `/metrics`. `instance` stays the same when the process starts again on another port.

    `cluster` is what whoever scrapes several clusters adds; "": nobody did.
    """

    job: str
    instance: str
    address: str
    cluster: str = ""


def configuration(
    targets_file: Path, token_file: Path, rule_files: Sequence[Path] = (), *, seconds: int = 1
) -> Mapping[str, Any]:
    """Prometheus' configuration. Targets are read from `targets_file`, and again whenever it changes."""
    interval = f"{seconds}s"
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(path) for path in rule_files],
        "scrape_configs": [
            {
                "job_name": "aim-gpu-sharing",
                "scheme": "https",
                "honor_labels": True,
                "authorization": {"credentials_file": str(token_file)},
                "tls_config": {"insecure_skip_verify": True},
                "file_sd_configs": [{"files": [str(targets_file)], "refresh_interval": interval}],
            }
        ],
    }


def target_groups(targets: Iterable[Target]) -> list[Mapping[str, Any]]:
    """The content of a file of targets."""
    return [
        {
            "targets": [target.address],
            "labels": {
                "job": target.job,
                "instance": target.instance,
                **({"cluster": target.cluster} if target.cluster else {}),
            },
        }
        for target in targets
    ]

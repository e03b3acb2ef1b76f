"""Writes the dashboards: ``python -m dashboards --out dashboards/json`` has a file of each in the folder."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import model_performance, overview, partition_utilization, scheduler_metrics
from dashboards.board import written

DASHBOARDS: Final[Mapping[str, Callable[[], Dashboard]]] = {
    "model-performance": model_performance.dashboard,
    "overview": overview.dashboard,
    "partition-utilization": partition_utilization.dashboard,
    "scheduler-metrics": scheduler_metrics.dashboard,
}


def files() -> dict[str, str]:
    """The text of each dashboard, by the name of its file."""
    return {f"{name}.json": written(make()) for name, make in DASHBOARDS.items()}


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the files")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (out / name).write_text(text)


if __name__ == "__main__":
    main()

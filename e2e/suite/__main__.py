"""Runs the suite: `python -m e2e.suite [pytest's arguments]`, which is `make e2e`.

With `--planted` instead of arguments: whether the suite notices faults of the chart. With `--look`: no test runs, the
cluster is a person's until Ctrl-C.

With `KUBECONFIG` set on that cluster; else on a local plane of its own (see `local_plane`).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.chart import Helm
from e2e.chart.helm import CHART, NAMESPACE, RELEASE
from e2e.image import ImageError
from e2e.plane import PlaneError
from e2e.suite.cluster import Cluster, run
from e2e.suite.local_plane import KUBECONFIG, local_plane, look_on
from e2e.suite.planted import FAULTS, plant

SUITE = Path(__file__).parent
# A scenario waits for several things in turn, each with a limit of its own.
_LIMIT_SECONDS = 600


def main(arguments: list[str]) -> int:
    """pytest's exit code; 1 with a line where no cluster could be started."""
    os.environ.setdefault("KUBECTL", shutil.which("kubectl") or str(Path(sys.executable).with_name("kubectl")))
    with ExitStack() as stack:
        try:
            os.environ["HELM"] = shutil.which("helm") or str(Helm.built().binary)
            if arguments == ["--look"]:
                return look_on(stack.enter_context(local_plane(KUBECONFIG, former=False)))
            if not os.environ.get("KUBECONFIG"):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                stack.enter_context(local_plane(folder / "config", former=arguments != ["--planted"]))
        except (PlaneError, ImageError) as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
        if arguments == ["--planted"]:
            return planted(_scenarios, _clean)
        # each by its name, so that runs in two places can be compared
        return pytest.main([str(SUITE), "-v", f"--timeout={_LIMIT_SECONDS}", *arguments])


def planted(run_scenarios: Callable[[Path, tuple[str, ...]], tuple[int, str]], clean: Callable[[], None]) -> int:
    """The chart as it is, which must pass, then one fault after the other; a line each, 1 where one was not noticed.

    `run_scenarios` gives pytest's exit code and its words. Without the first run, a cluster on which nothing works
    would count as a suite that notices everything; should it fail, all it said is told.
    """
    everywhere = tuple(sorted({scenario for fault in FAULTS for scenario in fault.scenarios}))
    code, told = run_scenarios(CHART, everywhere)
    passed = code == pytest.ExitCode.OK
    if not passed:
        sys.stdout.write(told)
    sys.stdout.write(f"[0/{len(FAULTS)}] the chart as it is: {'passed' if passed else 'FAILED'} ({_last(told)})\n")
    sys.stdout.flush()
    clean()
    if not passed:
        return 1
    missed = 0
    for number, fault in enumerate(FAULTS, start=1):
        with tempfile.TemporaryDirectory() as folder:
            code, told = run_scenarios(plant(fault, Path(folder)), fault.scenarios)
        noticed = code == pytest.ExitCode.TESTS_FAILED
        missed += not noticed
        sys.stdout.write(
            f"[{number}/{len(FAULTS)}] {fault.name}: {'noticed' if noticed else 'MISSED'} ({_last(told)})\n"
        )
        sys.stdout.flush()
        clean()
    return int(missed > 0)


def _scenarios(chart: Path, names: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code for some scenarios with a chart, and all it said."""
    os.environ |= {"AIM_E2E_CHART": str(chart), "AIM_E2E_READY_SECONDS": "45"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", f"--timeout={_LIMIT_SECONDS}"]
    command += [str(SUITE / name) for name in names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * _LIMIT_SECONDS, check=False)
    return done.returncode, done.stdout or done.stderr


def _last(told: str) -> str:
    return (told.strip().splitlines() or ["it said nothing"])[-1]


def _clean() -> None:
    """Take away what a broken release left. Raises CommandFailed."""
    run(
        [os.environ["HELM"], "uninstall", RELEASE, "-n", NAMESPACE, "--no-hooks", "--ignore-not-found"],
        limit_seconds=120,
    )
    cluster = Cluster(os.environ["KUBECTL"])
    cluster.call("delete", "gpunodes,repartitionplans,gpusharingpolicies", "--all", "--timeout=60s", limit_seconds=70)
    cluster.call("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s", limit_seconds=100)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

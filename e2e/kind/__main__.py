"""`python -m e2e.kind up|down`: what `make kind-up` and `make kind-down` run."""

import argparse
import sys
from pathlib import Path

from e2e.commands import StepFailed, run, run_all
from e2e.kind.programs import KIND
from e2e.kind.steps import Programs, down, up
from e2e.plane import PlaneError, Progress, ensure_binaries

SOURCE = Path(__file__).parents[2]
BUILD = SOURCE / "build/kind"


def main() -> int:
    """Exit code 0 with the kubeconfig on stdout after `up`; 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m e2e.kind", description=__doc__)
    parser.add_argument("what", choices=["up", "down"])
    wanted = parser.parse_args().what
    progress = Progress()
    try:
        kind = ensure_binaries(progress, families=(KIND,))["kind"]
        programs = Programs(kind, Path(sys.executable).with_name("kubectl"))
        BUILD.mkdir(parents=True, exist_ok=True)
        if wanted == "up":
            run(up(programs, SOURCE, BUILD), progress)
            sys.stdout.write(f"{BUILD / 'kubeconfig'}\n")
        else:
            run_all(down(programs, BUILD), progress)
    except (StepFailed, PlaneError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m e2e.run [--once] [--faults FILE] [--prometheus]`: what `make run` runs."""

import sys

from e2e.plane import kserve_wanted, wanted_families
from e2e.run.command import Place, main
from e2e.run.expectation import expectation
from e2e.run.screen import introduction
from e2e.run.session import run

SIMULATED = Place(
    program="e2e.run",
    expect=lambda examples: expectation(examples, kserve=kserve_wanted()),
    introduce=introduction,
    families=wanted_families,
    run=run,
    metrics=True,
)

if __name__ == "__main__":
    sys.exit(main(SIMULATED))

"""`python -m e2e.node_run [--once]`: what `make e2e-node` runs."""

import sys

from e2e.node_run.session import expected, families, introduction, require, run
from e2e.run.command import Place, main

REAL = Place(
    program="e2e.node_run", expect=expected, introduce=introduction, families=families, run=run, require=require
)

if __name__ == "__main__":
    sys.exit(main(REAL))

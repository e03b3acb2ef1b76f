"""`python -m e2e.prometheus`: prints where promtool is, fetched if need be."""

import sys

from e2e.plane import PlaneError
from e2e.prometheus.programs import ensure_prometheus

if __name__ == "__main__":
    try:
        print(ensure_prometheus().promtool)
    except PlaneError as error:
        sys.exit(f"error: {error}")

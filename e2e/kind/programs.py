"""kind itself, built from its Go module and kept with the control plane's programs."""

from pathlib import Path

from e2e.plane.programs import Family, Program

KIND = Family("kind", "0.33.0", (Program("kind", "sigs.k8s.io/kind", 15),), parent=Path(__file__).parent / "tools")

"""`python -m e2e.publish check|push`: what `make publish-check` and `make publish` run."""

import argparse
import json
import os
import sys
import tomllib
from pathlib import Path

import yaml

from e2e.chart import Helm
from e2e.commands import StepFailed, ask, run
from e2e.plane import PlaneError, Progress
from e2e.publish.steps import (
    Places,
    attested,
    chart_made,
    chart_pushed,
    digest_in,
    image_digest,
    image_made,
    image_pushed,
    parts_listed,
    signed,
)
from e2e.publish.version import objections, version_of

SOURCE = Path(__file__).parents[2]
BUILD = SOURCE / "build/publish"


def main() -> int:
    """Exit code 0; 1 with the reason on stderr, and then what was pushed before it stays where it is."""
    parser = argparse.ArgumentParser(prog="python -m e2e.publish", description=__doc__)
    parser.add_argument("what", choices=["check", "push"])
    parser.add_argument("--tag", required=True, help="the tag of the release, such as v1.2.3")
    parser.add_argument("--registry", default="", help="where to, such as ghcr.io/somebody")
    options = parser.parse_args()
    found = objections(options.tag, named_versions(SOURCE), (SOURCE / "CHANGELOG.md").read_text(encoding="utf-8"))
    if options.what == "push" and not options.registry:
        found.append("--registry is missing: say where to, as ghcr.io/somebody")
    for line in found:
        sys.stderr.write(f"error: {line}\n")
    version = version_of(options.tag)
    if found or version is None:
        return 1
    if options.what == "push":
        try:
            told(push(options.registry.lower(), version))
        except (StepFailed, PlaneError, OSError, ValueError) as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
    return 0


def named_versions(source: Path) -> dict[str, str]:
    """The version by the file in which it stands."""
    chart = yaml.safe_load((source / "charts/aim-gpu-sharing/Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "pyproject.toml": project["version"],
        "Chart.yaml": chart["version"],
        "appVersion in Chart.yaml": chart["appVersion"],
    }


def push(registry: str, version: str) -> dict[str, str]:
    """Build, push and sign; what was pushed. Raises StepFailed, PlaneError, OSError or ValueError."""
    BUILD.mkdir(parents=True, exist_ok=True)
    return push_to(Places(registry, version, SOURCE, BUILD, Helm.built().binary, Path(sys.executable)))


def push_to(places: Places) -> dict[str, str]:
    """The same, to places that are known. Raises StepFailed or ValueError."""
    progress = Progress()
    try:
        # before it is pushed: an image of which something is in no list stays here
        run((*image_made(places), parts_listed(places)), progress)
    finally:
        places.saved.unlink(missing_ok=True)
    run((image_pushed(places), chart_made(places)), progress)
    image = digest_in(ask(image_digest(places)), places.image)
    reference = f"{places.image}@{image}"
    run((signed(reference), attested(places, reference)), progress)
    # the chart goes last: whoever finds it finds its image
    chart = digest_in(ask(chart_pushed(places), errors_too=True))
    run((signed(f"{places.chart}@{chart}"),), progress)
    return {"image": places.image, "image-digest": image, "chart": places.chart, "chart-digest": chart}


def told(pushed: dict[str, str]) -> None:
    """Write what was pushed: for a person, as a file, and for the next steps of a workflow."""
    (BUILD / "pushed.json").write_text(json.dumps(pushed, indent=2) + "\n", encoding="utf-8")
    lines = "".join(f"{key}={value}\n" for key, value in pushed.items())
    sys.stdout.write(lines)
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with Path(outputs).open("a", encoding="utf-8") as file:
            file.write(lines)


if __name__ == "__main__":
    sys.exit(main())

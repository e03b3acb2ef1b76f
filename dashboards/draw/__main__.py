"""``python -m dashboards.draw``: the dashboards as pages, from a Prometheus on this machine; pictures where asked."""

import argparse
import http.client
import json
import shutil
import subprocess
import sys
from pathlib import Path

from rich.progress import track

from controller.runtime.clock import RealClock
from dashboards.draw.figures import UnknownPanel
from dashboards.draw.filling import Span, UnknownVariable, chosen
from dashboards.draw.page import WIDTH, height, page
from dashboards.draw.units import UnknownUnit
from e2e.prometheus.api import Api
from e2e.prometheus.errors import QueryRefused

JSON = Path(__file__).parents[1] / "json"
_BROWSER_SECONDS = 180


def draw(port: int, out: Path, span: Span, asked: dict[str, str], browser: str | None) -> list[Path]:
    """Write a page a dashboard, and a picture beside it where there is a browser; what was written.

    Raises QueryRefused, UnknownVariable, UnknownPanel, UnknownUnit, OSError, subprocess.SubprocessError.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for file in track(sorted(JSON.glob("*.json")), description="drawing", transient=True):
        dashboard = json.loads(file.read_text())
        has = {variable["name"] for variable in dashboard["templating"]["list"]}
        values = chosen(dashboard, {name: value for name, value in asked.items() if name in has})
        target = out / f"{file.stem}.html"
        target.write_text(page(dashboard, Api(port), values, span))
        written.append(target)
        if browser is not None:
            written.append(_picture(browser, target, height(dashboard)))
    return written


def _picture(browser: str, html: Path, pixels: int) -> Path:
    picture = html.with_suffix(".png").resolve()
    size = [f"--window-size={WIDTH},{pixels}", f"--screenshot={picture}"]
    # as root, as in containers, Chromium has no sandbox of its own; the page is ours, and loads nothing
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000"]
    subprocess.run(  # noqa: S603 - the browser that was named
        [browser, *flags, *size, html.resolve().as_uri()], check=True, capture_output=True, timeout=_BROWSER_SECONDS
    )
    return picture


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dashboards.draw", description=__doc__)
    parser.add_argument("port", type=int, help="where Prometheus listens on 127.0.0.1; kubectl port-forward makes one")
    parser.add_argument("--out", type=Path, default=Path("build/dashboards"), help="folder of the pages (%(default)s)")
    parser.add_argument("--minutes", type=float, default=60, help="how far back from now (%(default)s)")
    parser.add_argument("--scrape", type=float, default=15, help="seconds between two collections (%(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a variable, e.g. service=chat"
    )
    parser.add_argument("--browser", help="Chromium, for pictures beside the pages; none without it")
    return parser.parse_args()


def main() -> int:
    """Draw; 0 when all pages are written."""
    arguments = _arguments()
    pairs = [one.partition("=") for one in arguments.set]
    if not all(name and sign for name, sign, _ in pairs):
        print(f"--set {arguments.set}: write NAME=VALUE, e.g. --set namespace=team-a", file=sys.stderr)
        return 2
    browser = shutil.which(arguments.browser) if arguments.browser else None
    if arguments.browser and browser is None:
        print(f"--browser {arguments.browser}: there is no such program on PATH", file=sys.stderr)
        return 2
    now = RealClock().now().timestamp()
    span = Span(now - 60 * arguments.minutes, now, arguments.scrape)
    asked = {name: value for name, _, value in pairs}
    try:
        for path in draw(arguments.port, arguments.out, span, asked, browser):
            print(path)
    except (QueryRefused, UnknownVariable, UnknownPanel, UnknownUnit) as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, http.client.HTTPException) as error:
        print(f"127.0.0.1:{arguments.port}: {error}; is Prometheus there?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

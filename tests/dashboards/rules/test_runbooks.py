"""Each alert's page: there, of one form, and naming nothing that does not exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from controller.entrypoints.main import AT_ONCE, VERBS
from controller.runtime import instruments as runtime
from controller.runtime.instrument import Instrument
from controller.telemetry import instruments
from dashboards.rules import index_page
from dashboards.rules.alerts import alerts
from dashboards.rules.pace import REAL
from dashboards.rules.rule import Alert

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs/runbooks"
ALERTS = alerts()
NAMES = [one.name for one in ALERTS]
PAGES = [*NAMES, "README"]
#: Every panel by the dashboard that it is on.
PANELS = re.compile(r"\*([^*\n]+(?:\n +[^*\n]+)?)\*")


def text(name: str) -> str:
    return (RUNBOOKS / f"{name}.md").read_text()


def titles() -> set[str]:
    """What is written on dashboards, rows and panels."""
    found: set[str] = set()

    def look(panels: list[dict[str, Any]]) -> None:
        for panel in panels:
            found.add(panel["title"])
            look(panel.get("panels", []))

    for path in (ROOT / "dashboards/json").glob("*.json"):
        dashboard = json.loads(path.read_text())
        found.add(dashboard["title"].rpartition(" / ")[2])
        look(dashboard["panels"])
    return found


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_alert_has_a_page_that_tells_what_to_do(alert: Alert) -> None:
    address = alert.manifest(REAL)["annotations"]["runbook_url"]
    page = (ROOT / address[address.index("docs/") :]).read_text()
    assert page.startswith(f"# {alert.name}\n\n**{alert.severity.value}** · ")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["Who is hurt", "Look at", "Do", "When it is false", "How it ends"]
    assert all(len(part.split()) > 5 for part in re.split(r"^## .+$", page, flags=re.MULTILINE))
    assert "kubectl " in page or "aim-gpu " in page


def test_no_page_is_of_an_alert_that_is_gone() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(PAGES)


def test_the_first_page_lists_the_alerts_as_they_are() -> None:
    assert text("README") == index_page.filled(text("README")), "run make generate"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_names_panels_that_are_there(name: str) -> None:
    look_at = text(name).partition("## Look at")[2].partition("\n## ")[0]
    named = {re.sub(r"\s+", " ", found) for found in PANELS.findall(look_at)}
    assert named
    assert named - titles() <= {"nearest change"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_links_to_what_is_there(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text(name)):
        path, _, part = target.partition("#")
        found = (RUNBOOKS / path).resolve()
        assert found.exists(), target
        if part:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert part in {re.sub(r"[^a-z0-9 _-]", "", one.lower()).replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_metrics_that_are_told(name: str) -> None:
    told = {
        one.exported_name
        for one in (*vars(instruments).values(), *vars(runtime).values())
        if isinstance(one, Instrument)
    }
    named = re.findall(
        r"(?<!:)\b(?:aim|certwatcher|workqueue|rest_client|controller_runtime)_[a-z_]+\b(?!:)", text(name)
    )
    assert {re.sub(r"_bucket$", "", one) for one in named} <= told


@pytest.mark.parametrize("name", NAMES)
def test_a_page_runs_commands_that_there_are(name: str) -> None:
    run = re.findall(r"(?:^ *|`)aim-gpu ([a-z]+)", text(name), re.MULTILINE)
    assert set(run) <= {*VERBS, *AT_ONCE}

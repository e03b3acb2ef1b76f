"""One story on a control plane, read by a real Prometheus: what metrics, dashboards and alerts made of it.

Everything is as `make run` has it, with metrics over HTTPS for those whom RBAC lets read them. Rules act sixty times as
soon as in production, so that hours take minutes; nothing else of them differs. The tests look at what is left.
"""

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from controller.telemetry.catalogue import exported_by
from controller.telemetry.instruments import AGENT, EXPORTER, GATEWAY, OPERATOR, UI
from dashboards.queries import committed
from dashboards.rules.alerts import alerts, recordings
from e2e.prometheus.programs import Programs
from e2e.prometheus.server import Prometheus
from tests.exported_metrics import difference
from tests.integration.metrics.judgement import misfires
from tests.integration.metrics.panels import empty
from tests.integration.metrics.stage import FIRING
from tests.integration.metrics.story import NOT_PLAYED, Told, play

pytestmark = [pytest.mark.plane, pytest.mark.needs_prometheus, pytest.mark.timeout(600)]

PROCESSES = (OPERATOR, AGENT, GATEWAY, EXPORTER, UI)


@pytest.fixture(scope="module")
def told(prometheus_programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("story")
    with Prometheus(prometheus_programs, folder / "prometheus") as prometheus:
        yield asyncio.run(play(prometheus, folder))


def test_nothing_went_wrong_in_any_scene(told: Told) -> None:
    for scene in told.scenes:
        print(f"{scene.start - told.start:6.1f} s to {scene.end - told.start:6.1f} s: {scene.name}")
    assert not told.problems, "\n".join(told.problems)


def test_alerts_fire_in_their_scenes_and_are_silent_before_and_after(told: Told) -> None:
    wrong = misfires(told.scenes, told.api.over(FIRING, told.start, told.end))

    assert not wrong, "\n".join(wrong)


def test_every_alert_has_a_scene(told: Told) -> None:
    shown = {expected.alert for scene in told.scenes for expected in scene.expected}

    assert shown == {alert.name for alert in alerts()} - NOT_PLAYED


def test_every_rule_is_evaluated_without_error(told: Told) -> None:
    rules = told.api.rules()

    assert {rule["name"] for rule in rules} == {alert.name for alert in alerts()} | {one.name for one in recordings()}
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.parametrize("name", sorted(committed()))
def test_every_panel_shows_something_that_changes(told: Told, name: str) -> None:
    wrong = list(empty(told.api, committed()[name], told.start, told.end))

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_told_is_what_is_declared(told: Told, process: str) -> None:
    found = difference(process, [page for kind, page in told.pages if kind == process])

    assert (sorted(found.missing), sorted(found.undeclared), found.wrong) == ([], [], ())


def test_every_metric_had_a_value_at_some_time(told: Told) -> None:
    names = {name.removesuffix("_bucket") for name in told.api.names()}
    declared = {name for process in PROCESSES for name in exported_by(process)}

    assert sorted(declared - names) == []


@pytest.mark.parametrize("process", PROCESSES)
def test_promtool_has_nothing_to_say_about_the_pages(told: Told, prometheus_programs: Programs, process: str) -> None:
    pages = [page for kind, page in told.pages if kind == process]
    assert pages
    for page in pages:
        done = subprocess.run(
            [prometheus_programs.promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

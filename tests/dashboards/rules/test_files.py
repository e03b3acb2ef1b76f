"""The committed files: as generated, and readable by those who load them."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.rules.alerts import rules
from dashboards.rules.files import PLAIN, PROMETHEUS_RULE, files
from e2e.prometheus.programs import Programs

COMMITTED = Path(__file__).parents[3] / "dashboards/rules"


@pytest.mark.parametrize("name", [PLAIN, PROMETHEUS_RULE])
def test_the_committed_file_is_as_generated(name: str) -> None:
    assert (COMMITTED / name).read_text() == files()[name], "run make generate"


@pytest.mark.parametrize("name", [PLAIN, PROMETHEUS_RULE])
def test_both_files_hold_all_rules(name: str) -> None:
    content = yaml.safe_load((COMMITTED / name).read_text())
    assert content.get("spec", content) == rules()


@pytest.mark.needs_prometheus
def test_promtool_takes_the_rules(prometheus_programs: Programs) -> None:
    done = subprocess.run(
        [prometheus_programs.promtool, "check", "rules", "--lint-fatal", COMMITTED / PLAIN],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


#: What the Prometheus operator's PrometheusRule (monitoring.coreos.com/v1) has in a group and in a rule, and how it
#: wants durations, which is more narrow than Prometheus itself: no fractions, units in this order.
GROUP = {"name", "interval", "limit", "labels", "partial_response_strategy", "query_offset", "rules"}
RULE = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
DURATION = re.compile(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")


def test_the_prometheus_operator_takes_the_object() -> None:
    content = yaml.safe_load((COMMITTED / PROMETHEUS_RULE).read_text())
    assert (content["apiVersion"], content["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert content["spec"].keys() == {"groups"}
    assert len({group["name"] for group in content["spec"]["groups"]}) == len(content["spec"]["groups"])
    for group in content["spec"]["groups"]:
        assert group.keys() <= GROUP
        for rule in group["rules"]:
            assert rule.keys() <= RULE
            assert ("alert" in rule) != ("record" in rule)
            assert isinstance(rule["expr"], str)
            assert all(DURATION.fullmatch(rule[name]) for name in ("for", "keep_firing_for") if name in rule)
            texts = {**rule.get("labels", {}), **rule.get("annotations", {})}.values()
            assert all(isinstance(text, str) for text in texts)

"""What Helm does with the chart's hooks: logs are told and stay, rights go."""

from typing import Any

import pytest

from e2e.chart import Helm

Object = dict[str, Any]
BOTH = "hook-succeeded,hook-failed"


def hooks(helm: Helm, hook: str, values: dict[str, Any] | None = None) -> list[Object]:
    """The objects of one hook."""
    return [one for one in helm.objects(values) if annotation(one, "hook") == hook]


def annotation(one: Object, name: str) -> str:
    told: str = one["metadata"].get("annotations", {}).get(f"helm.sh/{name}", "")
    return told


@pytest.mark.parametrize(("hook", "kind"), [("pre-delete", "Job"), ("test", "Pod")])
def test_what_has_a_log_is_told_and_stays_until_the_next(helm: Helm, hook: str, kind: str) -> None:
    found = hooks(helm, hook)
    assert [one["kind"] for one in found if annotation(one, "hook-output-log-policy")] == [kind]
    (logs,) = [one for one in found if one["kind"] == kind]
    assert annotation(logs, "hook-output-log-policy") == BOTH
    assert annotation(logs, "hook-delete-policy") == "before-hook-creation"


@pytest.mark.parametrize("hook", ["pre-delete", "test"])
def test_rights_are_gone_once_they_were_used(helm: Helm, hook: str) -> None:
    rights = [one for one in hooks(helm, hook) if one["kind"] not in ("Job", "Pod")]
    assert {"Role", "RoleBinding", "ServiceAccount"} <= {one["kind"] for one in rights}
    assert [one["kind"] for one in rights if "hook-succeeded" not in annotation(one, "hook-delete-policy")] == []


def test_the_job_stays_as_long_as_the_value_says(helm: Helm) -> None:
    values = {"uninstall": {"logKeptSeconds": 1_209_600}}
    (job,) = [one for one in hooks(helm, "pre-delete", values) if one["kind"] == "Job"]
    assert job["spec"]["ttlSecondsAfterFinished"] == 1_209_600


@pytest.mark.parametrize(("whole", "each"), [(30, 6), (300, 60), (1800, 360), (2_000_000, 400_000)])
def test_the_waits_of_a_release_fit_into_the_jobs_time(helm: Helm, whole: int, each: int) -> None:
    values = {"uninstall": {"timeoutSeconds": whole}}
    (job,) = [one for one in hooks(helm, "pre-delete", values) if one["kind"] == "Job"]
    assert job["spec"]["activeDeadlineSeconds"] == whole
    assert f"--limit={each}" in job["spec"]["template"]["spec"]["containers"][0]["args"]

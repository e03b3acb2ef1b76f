"""operator-framework's checks find nothing in the committed bundle, and defects that are put into it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.olm import BundleChecks, Finding, Unreadable
from olm.sources import chart
from tests.olm.planting import BUNDLE, Json, bundle_with

ALLOWED: Final = {
    'The "operatorhub" validator is deprecated': "operator-verify says so of itself; its successors are run as well",
}
"""Part of a warning that may be there, and why."""
OLDEST: Final = "1.34.0"


def serious(findings: list[Finding]) -> list[str]:
    """All but warnings that are allowed."""
    allowed = [each for each in findings if each.level == "warning" and any(text in each.detail for text in ALLOWED)]
    return [f"{each.level}: {each.detail}" for each in findings if each not in allowed]


def without_escapes(findings: list[Finding]) -> list[Finding]:
    return [Finding(each.level, each.detail.replace('\\"', '"')) for each in findings]


def test_operator_verify_finds_nothing(bundle_checks: BundleChecks) -> None:
    assert serious(without_escapes(bundle_checks.verified(BUNDLE))) == []


def test_the_suite_operatorframework_finds_nothing(bundle_checks: BundleChecks) -> None:
    assert chart()["kubeVersion"] == f">={OLDEST}-0"
    assert serious(bundle_checks.findings(BUNDLE, OLDEST)) == []


def test_every_exception_is_still_needed(bundle_checks: BundleChecks) -> None:
    said = "\n".join(each.detail for each in without_escapes(bundle_checks.verified(BUNDLE)))
    assert [text for text in ALLOWED if text not in said] == []


def container(csv: Json) -> Json:
    (deployment,) = csv["spec"]["install"]["spec"]["deployments"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found  # type: ignore[no-any-return]


def owned(csv: Json) -> list[Json]:
    return csv["spec"]["customresourcedefinitions"]["owned"]  # type: ignore[no-any-return]


def rule(csv: Json, **said: Any) -> None:
    csv["spec"]["install"]["spec"]["clusterPermissions"][0]["rules"].append(said)


DEFECTS: Final[dict[str, tuple[Callable[[Json], object], str]]] = {
    "no icon": (lambda csv: csv["spec"].pop("icon"), "csv.Spec.Icon not specified"),
    "an icon of no known type": (
        lambda csv: csv["spec"]["icon"][0].update(mediatype="image/x-none"),
        "does not have a valid mediatype",
    ),
    "a name without version": (lambda csv: csv["metadata"].update(name="aim-gpu-sharing"), "versioning convention"),
    "another version in the name": (
        lambda csv: csv["metadata"].update(name="aim-gpu-sharing-0.2.0"),
        "recommended naming convention",
    ),
    "a version that is none": (lambda csv: csv["spec"].update(version="two"), "error unmarshaling JSON"),
    "no version": (lambda csv: csv["spec"].pop("version"), "csv.Spec.Version must be set"),
    "no provider": (lambda csv: csv["spec"].pop("provider"), "csv.Spec.Provider.Name not specified"),
    "a maintainer without address": (lambda csv: csv["spec"]["maintainers"][0].pop("email"), "both name and email"),
    "a link without place": (lambda csv: csv["spec"]["links"][0].pop("url"), "both name and url"),
    "no oldest Kubernetes": (lambda csv: csv["spec"].pop("minKubeVersion"), "MinKubeVersion is not informed"),
    "a category that nobody knows": (
        lambda csv: csv["metadata"]["annotations"].update(categories="Graphics"),
        "categories",
    ),
    "a capability level that nobody knows": (
        lambda csv: csv["metadata"]["annotations"].update(capabilities="Everything"),
        "capabilities",
    ),
    "a definition that is not described": (lambda csv: owned(csv).pop(0), 'Kind=GPUNode" is present in bundle'),
    "a kind that has no definition": (lambda csv: owned(csv)[0].update(kind="Other"), "Kind=Other"),
    "a version that the definition lacks": (lambda csv: owned(csv)[0].update(version="v9"), "v9"),
    "a kind without description": (lambda csv: owned(csv)[0].pop("description"), "description"),
    "examples that are none": (
        lambda csv: csv["metadata"]["annotations"].update({"alm-examples": "["}),
        "invalid example",
    ),
    "no examples": (
        lambda csv: csv["metadata"]["annotations"].update({"alm-examples": "[]"}),
        "should have an example annotation",
    ),
    "no requests of a container": (lambda csv: container(csv)["resources"].pop("requests"), "resource requests"),
    "the right to create definitions": (
        lambda csv: rule(
            csv, apiGroups=["apiextensions.k8s.io"], resources=["customresourcedefinitions"], verbs=["create"]
        ),
        "permissions to create CRD",
    ),
    "no install mode": (lambda csv: csv["spec"].pop("installModes"), "install modes not found"),
    "a conversion webhook in one namespace": (
        lambda csv: csv["spec"]["installModes"][0].update(supported=True),
        "conversion",
    ),
    "no deployment": (lambda csv: csv["spec"]["install"]["spec"].pop("deployments"), "unable to find a deployment"),
}
"""What is done to the ClusterServiceVersion, and what is then said."""


@pytest.mark.parametrize(("spoil", "said"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_noticed(
    bundle_checks: BundleChecks, tmp_path: Path, spoil: Callable[[Json], object], said: str
) -> None:
    spoilt = bundle_with(tmp_path, spoil)
    try:
        told = "\n".join(serious(bundle_checks.findings(spoilt, OLDEST)))
    except Unreadable as error:
        told = str(error)
    assert said.lower() in told.lower(), told or "nothing was found"


def test_a_definition_that_is_missing_is_noticed(bundle_checks: BundleChecks, tmp_path: Path) -> None:
    spoilt = bundle_with(tmp_path, lambda _: None)
    (spoilt / "manifests/gpunodes.aim.amd.com.crd.yaml").unlink()
    (said,) = serious(bundle_checks.findings(spoilt, OLDEST))
    assert 'owned CRD "aim.amd.com/v1beta1, Kind=GPUNode" not found in bundle' in said


def test_an_error_counts_although_operator_verify_ends_well(bundle_checks: BundleChecks, tmp_path: Path) -> None:
    spoilt = bundle_with(tmp_path, lambda csv: owned(csv).pop(0))
    assert [each.level for each in bundle_checks.verified(spoilt) if "is present in bundle" in each.detail] == ["error"]


def test_a_folder_without_a_bundle_is_no_pass(bundle_checks: BundleChecks, tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        bundle_checks.findings(tmp_path, OLDEST)

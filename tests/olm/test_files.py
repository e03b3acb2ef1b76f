"""The bundle: as generated, and nothing of the manifest is lost between it and what is applied beside it."""

import yaml

from olm.files import files
from olm.sources import ROOT, manifest

FILES = files()
CSV = yaml.safe_load(FILES["bundle/manifests/aim-gpu-sharing.clusterserviceversion.yaml"])


def test_the_committed_files_are_as_generated() -> None:
    folder = ROOT / "olm"
    assert {name: (folder / name).read_text() for name in FILES} == FILES, "run make generate"
    committed = {str(path.relative_to(folder)) for path in (folder / "bundle").rglob("*") if path.is_file()}
    assert committed == {name for name in FILES if name.startswith("bundle/")}


def test_the_agents_and_every_guard_are_applied_beside_the_bundle() -> None:
    beside = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(FILES["cluster-objects.yaml"])}
    wanted = {
        (each["kind"], each["metadata"]["name"])
        for each in manifest()
        if each["kind"].startswith("ValidatingAdmissionPolicy") or each["metadata"]["name"] == "aim-gpu-agent"
    }
    assert wanted <= beside
    assert ("ValidatingAdmissionPolicy", "aim-gpu-pod-gated") in beside


def test_olm_runs_the_operator_with_the_certificate_that_it_mounts() -> None:
    (deployment,) = CSV["spec"]["install"]["spec"]["deployments"]
    args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [each for each in args if each.startswith("--certificate")] == [
        "--certificates=olm",
        "--certificate-dir=/apiserver.local.config/certificates",
    ]


def test_a_webhook_that_every_pod_passes_stops_no_pod_when_nobody_answers() -> None:
    admission = [each for each in CSV["spec"]["webhookdefinitions"] if each["type"] != "ConversionWebhook"]
    assert {each["failurePolicy"] for each in admission} == {"Ignore"}


def test_conversion_has_the_only_install_mode_it_allows() -> None:
    assert [each["type"] for each in CSV["spec"]["installModes"] if each["supported"]] == ["AllNamespaces"]


def test_the_operator_may_not_write_what_olm_writes_in_its_place() -> None:
    spec = CSV["spec"]["install"]["spec"]
    rules = [rule for part in ("clusterPermissions", "permissions") for each in spec[part] for rule in each["rules"]]
    assert [rule for rule in rules if "admissionregistration.k8s.io" in rule["apiGroups"]] == []
    assert [rule for rule in rules if "secrets" in rule["resources"]] == []
    assert [rule["verbs"] for rule in rules if "customresourcedefinitions" in rule["resources"]] == [["get"]]

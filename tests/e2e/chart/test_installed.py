"""What is read of the chart's manifests, and how it may be varied."""

import pytest
import yaml

from e2e.chart import installed
from e2e.chart.install_manifest import ADDITIONS, INSTALL


def test_what_one_reader_changes_no_other_sees() -> None:
    installed.the("Deployment", "aim-gpu-operator")["spec"]["replicas"] = 7

    assert installed.the("Deployment", "aim-gpu-operator")["spec"]["replicas"] == 2


def test_objects_are_found_by_kind_and_name_in_all_that_goes_together() -> None:
    assert [one["metadata"]["name"] for one in installed.objects(kind="Deployment")] == [
        "aim-gpu-operator",
        "aim-gpu-gateway",
        "aim-gpu-exporter",
        "aim-gpu-ui",
    ]
    with pytest.raises(LookupError, match=r"ClusterRole aim-gpu-gateway: 0 of it in install\.yaml"):
        installed.the("ClusterRole", "aim-gpu-gateway", INSTALL)


def test_around_processes_are_rights_and_guards_and_nothing_that_runs() -> None:
    kinds = {one["kind"] for one in installed.around_processes()}

    assert kinds == {
        *("Namespace", "ServiceAccount", "Secret", "DeviceClass"),
        *("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    }


@pytest.mark.parametrize("name", ["operator", "agent", "gateway", "exporter", "ui"])
def test_a_process_has_its_pods_its_services_and_its_policy(name: str) -> None:
    file = f"{name}.yaml" if f"{name}.yaml" in ADDITIONS else INSTALL

    found = installed.process(f"aim-gpu-{name}", file)

    kinds = [one["kind"] for one in found]
    assert sum(kind in ("Deployment", "DaemonSet") for kind in kinds) == 1
    assert {"Service", "NetworkPolicy"} <= set(kinds)
    assert all(one["metadata"]["name"].startswith(f"aim-gpu-{name}") for one in found)


def test_every_process_and_all_around_them_is_all_but_the_kinds() -> None:
    processes = [
        one
        for file in installed.ALL
        for name in ("operator", "agent", "gateway", "exporter", "ui")
        for one in installed.process(f"aim-gpu-{name}", file)
    ]

    assert len(processes) + len(installed.around_processes()) + 6 == len(installed.objects())


def test_another_image_is_that_of_every_container_and_of_no_original() -> None:
    before = installed.objects("agent-repartition.yaml", kind="DaemonSet")

    (changed,) = installed.with_image(before, "registry.test/aim:1")

    pod = changed["spec"]["template"]["spec"]
    assert [one["image"] for one in (*pod["initContainers"], *pod["containers"])] == ["registry.test/aim:1"] * 2
    assert before == installed.objects("agent-repartition.yaml", kind="DaemonSet")


def test_agents_of_local_runs_may_publish_slices_and_those_on_hardware_may_not() -> None:
    def resources(role: installed.Object) -> set[str]:
        return {resource for rule in role["rules"] for resource in rule["resources"]}

    (local,) = (one for one in installed.around_processes() if _is(one, "ClusterRole", "aim-gpu-agent"))
    assert "resourceslices" in resources(local)
    assert "resourceslices" not in resources(installed.the("ClusterRole", "aim-gpu-agent"))


def _is(one: installed.Object, kind: str, name: str) -> bool:
    return (one["kind"], one["metadata"]["name"]) == (kind, name)


def test_what_is_printed_is_what_an_operator_outside_needs(capsys: pytest.CaptureFixture[str]) -> None:
    installed.main()

    assert list(yaml.safe_load_all(capsys.readouterr().out)) == installed.around_processes()

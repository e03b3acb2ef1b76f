"""Who may reach our pods, OpenShift's constraints, and the objects of `helm test`."""

import pytest

from e2e.chart import Helm
from tests.charts.addons.installation_check import SCRIPT, MemoryApi, load
from tests.charts.addons.rendered import Object, of_kind, one

PROCESSES = {"gateway": {"enabled": True}, "exporter": {"enabled": True}, "ui": {"enabled": True}}


def test_every_process_has_a_network_policy_of_its_own(helm: Helm) -> None:
    objects = helm.objects(PROCESSES)
    workloads = {**of_kind(objects, "Deployment"), **of_kind(objects, "DaemonSet")}
    policies = of_kind(objects, "NetworkPolicy")
    assert policies.keys() == workloads.keys()
    for name, obj in policies.items():
        assert obj["metadata"]["namespace"] == workloads[name]["metadata"]["namespace"]
        assert obj["spec"]["podSelector"] == workloads[name]["spec"]["selector"], name
        assert obj["spec"]["policyTypes"] == ["Ingress"]


def test_only_replicas_reach_the_port_by_which_replicas_of_the_gateway_know_each_other(helm: Helm) -> None:
    policy = of_kind(helm.objects(PROCESSES), "NetworkPolicy")["aim-gpu-gateway"]["spec"]
    rules = [rule for rule in policy["ingress"] if {"port": "peers"} in rule["ports"]]
    assert rules == [{"from": [{"podSelector": policy["podSelector"]}], "ports": [{"port": "peers"}]}]


def test_every_port_that_a_policy_opens_is_one_of_the_pods_it_is_for(helm: Helm) -> None:
    objects = helm.objects(PROCESSES)
    workloads = {**of_kind(objects, "Deployment"), **of_kind(objects, "DaemonSet")}
    for name, policy in of_kind(objects, "NetworkPolicy").items():
        (container,) = workloads[name]["spec"]["template"]["spec"]["containers"]
        opened = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert opened == {port["name"] for port in container["ports"]}, name


def test_there_are_none_where_they_are_off(helm: Helm) -> None:
    assert not of_kind(helm.objects(PROCESSES | {"networkPolicy": {"enabled": False}}), "NetworkPolicy")


@pytest.mark.parametrize(("mode", "privileged"), [("report", False), ("simulate", False), ("repartition", True)])
def test_openshifts_constraints_let_agents_do_what_their_mode_needs(helm: Helm, mode: str, privileged: bool) -> None:
    objects = helm.objects({"openshift": {"scc": True}, "agent": {"mode": mode}})
    constraints = one(objects, "SecurityContextConstraints", "aim-gpu-agent")
    pod = one(objects, "DaemonSet", "aim-gpu-agent")["spec"]["template"]["spec"]
    security = pod["containers"][0]["securityContext"]
    assert constraints["allowPrivilegedContainer"] == privileged == security.get("privileged", False)
    assert "priority" in constraints, "OpenShift's definition requires it"
    assert constraints["allowHostPID"] == pod.get("hostPID", False)
    assert constraints["requiredDropCapabilities"] == security.get("capabilities", {}).get("drop", [])
    assert constraints["users"] == ["system:serviceaccount:aim-gpu-system:aim-gpu-agent"]
    mounted = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
    assert mounted <= set(constraints["volumes"])


def test_openshifts_other_pods_keep_their_number(helm: Helm) -> None:
    objects = helm.objects(PROCESSES | {"openshift": {"scc": True}})
    bound = {
        obj["metadata"]["namespace"]: obj["subjects"][0]["name"]
        for obj in objects
        if obj["kind"] == "RoleBinding" and obj["metadata"]["name"] == "aim-gpu-nonroot"
    }
    assert bound == {
        namespace: f"system:serviceaccounts:{namespace}"
        for namespace in ("aim-gpu-system", "aim-gpu-gateway", "aim-gpu-exporter")
    }


def of_test(objects: list[Object]) -> list[Object]:
    return [obj for obj in objects if obj["metadata"]["name"] == "aim-gpu-test"]


def test_all_of_helm_test_but_its_log_is_there_only_while_it_runs(helm: Helm) -> None:
    objects = of_test(helm.objects(PROCESSES))
    assert len(objects) == 9
    for obj in objects:
        annotations = obj["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "test"
        gone = annotations["helm.sh/hook-delete-policy"].split(",")
        assert "before-hook-creation" in gone
        assert ("hook-succeeded" in gone) == (obj["kind"] != "Pod"), "the pod stays for its log"
        before = int(annotations.get("helm.sh/hook-weight", "0"))
        assert (before == 0) == (obj["kind"] == "Pod"), "what the pod needs is made first"
    assert not of_test(helm.objects({"tests": {"enabled": False}}))


def test_the_pod_of_helm_test_runs_our_script_with_arguments_that_it_takes(helm: Helm) -> None:
    objects = helm.objects(PROCESSES)
    pod = one(objects, "Pod", "aim-gpu-test")["spec"]
    (container,) = pod["containers"]
    assert one(objects, "ConfigMap", "aim-gpu-test")["data"] == {SCRIPT.name: SCRIPT.read_text()}
    assert container["command"] == ["python", f"/checks/{SCRIPT.name}"]
    assert container["image"] == _image(objects)
    check = load()
    arguments = check.arguments(container["args"])
    assert pod["activeDeadlineSeconds"] > arguments.timeout
    assert arguments.namespace == "aim-gpu-system"
    assert check.planned(MemoryApi((200, {})), arguments).keys() == {
        *("aim-gpu-operator", "aim-gpu-agent", "aim-gpu-gateway", "aim-gpu-exporter"),
        *("aim-gpu-ui", "map", "validation", "conversion", "pods"),
    }


def _image(objects: list[Object]) -> str:
    (container,) = one(objects, "Deployment", "aim-gpu-operator")["spec"]["template"]["spec"]["containers"]
    return str(container["image"])

"""Modes of a GPU are changed under real pods: how these leave, and what else may happen on the node meanwhile."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.run.install import kubectl_command
from tests.integration.node.agent import AIM, TELLS, environment, run
from tests.integration.node.operated import Operated, asking, device_text
from tests.integration.node.workloads import Object, create, is_ready
from tests.integration.operator.running import opt_in

pytestmark = [pytest.mark.plane, pytest.mark.needs_kubelet, pytest.mark.node_e2e, pytest.mark.timeout(300)]

PLANS = f"{AIM}/repartitionplans"
ENDED = {"Succeeded", "RolledBack", "Failed"}
TOLD = "/told"

# A server that needs 3 s to be ready, and whoever asks it to end hears of it in a file.
SERVES = """
trap 'echo "$HOSTNAME TERM" >> /told/log; sleep 1; echo "$HOSTNAME ended" >> /told/log; exit 0' TERM
sleep 3; touch /tmp/ready
while true; do sleep 0.2; done
"""
PRE_STOP = 'echo "$HOSTNAME preStop" >> /told/log; sleep 1'
IGNORES = "trap '' TERM; touch /tmp/ready; while true; do sleep 0.2; done"


def deployment(name: str, replicas: int, folder: Path, script: str, grace: int, pre_stop: str | None = None) -> Object:
    """A Deployment of pods that opted in, which share a folder of the host."""
    more: Object = {
        "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "told", "mountPath": TOLD}],
    }
    if pre_stop is not None:
        more["lifecycle"] = {"preStop": {"exec": {"command": ["sh", "-c", pre_stop]}}}
    template = asking(name, script, **more)
    template["metadata"] = {"labels": {"app": name}, "annotations": opt_in()}
    template["spec"] |= {
        "terminationGracePeriodSeconds": grace,
        "volumes": [{"name": "told", "hostPath": {"path": str(folder)}}],
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name}, "spec": spec | {"strategy": {"rollingUpdate": {"maxSurge": 0}}}}


def ready(operated: Operated, namespace: str) -> list[str]:
    """The pods of a namespace that are Ready and not on their way out."""
    found = operated.plane.admin.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    paths = [one["metadata"] for one in found if "deletionTimestamp" not in one["metadata"]]
    return [
        one["name"] for one in paths if is_ready(operated.plane, f"/api/v1/namespaces/{namespace}/pods/{one['name']}")
    ]


def plan(operated: Operated, bdf: str, mode: str) -> str:
    """An approved plan that changes the mode of one GPU; its path."""
    before, after = ({"gpus": [{"bdf": bdf, "mode": each}]} for each in (operated.modes()[bdf], mode))
    name = f"node-{uuid.uuid4().hex[:6]}"
    spec = {"node": operated.agent.node.name, "from": before, "to": after, "approved": True}
    obj = {"apiVersion": "aim.amd.com/v1beta1", "kind": "RepartitionPlan", "metadata": {"name": name}, "spec": spec}
    operated.plane.admin.create(PLANS, obj)
    return f"{PLANS}/{name}"


def ended(operated: Operated, path: str) -> Object:
    """The plan once it has ended and its last step, which tidies up, is done."""

    def over() -> bool:
        status = operated.plane.admin.get(path).get("status", {})
        return status.get("phase") in ENDED and status["steps"][-1].get("result") == "Done"

    operated.agent.eventually(over, f"{path} has ended, and tidied up")
    return operated.plane.admin.get(path)


def sound(operated: Operated) -> None:
    """Nothing is tainted, nothing is ordered, and what is offered are the partitions that there are."""
    node = operated.plane.admin.get(f"/api/v1/nodes/{operated.agent.node.name}")
    assert [taint["key"] for taint in node["spec"].get("taints", ()) if "amd.com" in taint["key"]] == []
    assert "operation" not in operated.plane.admin.get(f"{AIM}/gpunodes/{operated.agent.node.name}")["spec"]
    operated.agent.eventually(
        lambda: operated.agent.offered() == operated.hardware(), "the slices are as the hardware is"
    )


def started_once(operated: Operated, path: str) -> str:
    """The container of a pod that has never been restarted."""
    (status,) = operated.plane.admin.get(path)["status"]["containerStatuses"]
    assert status["restartCount"] == 0
    return str(status["containerID"])


# Pods that have to leave.


@contextmanager
def watched(operated: Operated, namespace: str, file: Path) -> Iterator[None]:
    """Every state of the namespace's pods goes into a file, a JSON object a line."""
    command = kubectl_command(operated.plane, "get", "pods", "-n", namespace, "--watch", "-o", "json")
    with file.open("w") as out, subprocess.Popen(command, stdout=out) as watch:
        try:
            yield
        finally:
            watch.terminate()


def exit_codes(file: Path) -> dict[str, int]:
    """With which code the container of each pod ended, of those that did."""
    found: dict[str, int] = {}
    decoder, text, at = json.JSONDecoder(), file.read_text(encoding="utf-8"), 0
    while at < len(text):
        state, at = decoder.raw_decode(text, at)
        for status in state["status"].get("containerStatuses", ()):
            if "terminated" in status["state"]:
                found[state["metadata"]["name"]] = status["state"]["terminated"]["exitCode"]
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def test_pods_leave_in_order_one_by_one_and_who_ignores_the_signal_is_killed(
    operated: Operated, node_namespace: str, tmp_path: Path
) -> None:
    plane, agent = operated.plane, operated.agent
    deployments = f"/apis/apps/v1/namespaces/{node_namespace}/deployments"
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    budgets = f"/apis/policy/v1/namespaces/{node_namespace}/poddisruptionbudgets"
    plane.admin.create(budgets, {"metadata": {"name": "web"}, "spec": budget})
    plane.admin.create(deployments, deployment("web", 2, tmp_path, SERVES, 20, PRE_STOP))
    plane.admin.create(deployments, deployment("stubborn", 1, tmp_path, IGNORES, 3))
    agent.eventually(lambda: len(ready(operated, node_namespace)) == 3, "all pods are Ready")
    agent.eventually(
        lambda: plane.admin.get(f"{budgets}/web")["status"].get("disruptionsAllowed") == 1, "the budget is known"
    )
    before = ready(operated, node_namespace)
    held = {operated.allocated(node_namespace, name)["status"]["allocation"]["devices"][0]["bdf"] for name in before}
    (gpu,) = held

    with watched(operated, node_namespace, tmp_path / "watched"):
        path = plan(operated, gpu, "DPX/NPS1")
        done = ended(operated, path)

    assert done["status"]["phase"] == "Succeeded"
    assert operated.modes()[gpu] == "DPX/NPS1"
    sound(operated)
    after = ready(operated, node_namespace)
    assert len(after) == 3
    assert not set(before) & set(after)
    codes = exit_codes(tmp_path / "watched")
    heard = [line.split() for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    for name in before:
        stubborn = name.startswith("stubborn")
        assert codes[name] == (137 if stubborn else 0)
        assert [word for who, word in heard if who == name] == ([] if stubborn else ["preStop", "TERM", "ended"])
    first, second = evicted(operated, node_namespace, [name for name in before if name.startswith("web")])
    assert 429 in second  # until the first one's successor served
    assert 429 not in first


def evicted(operated: Operated, namespace: str, pods: list[str]) -> list[list[int]]:
    """How the API server answered each time that a pod was asked to leave; in the order in which they did."""
    answers: dict[str, list[int]] = {name: [] for name in pods}
    order = []
    for entry in operated.audited(namespace, "create", "eviction"):
        name, code = entry["objectRef"]["name"], entry["responseStatus"]["code"]
        answers.get(name, []).append(code)
        order += [name] if code == 201 and name in pods else []
    return [answers[name] for name in order]


# What else happens on the node.


def agent_killed(operated: Operated) -> None:
    operated.agent.kill()
    operated.agent.start()


def kubelet_restarted(operated: Operated) -> None:
    operated.plane.restart(operated.agent.node.kubelet)


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(agent_killed, id="the agent is killed"),
        pytest.param(kubelet_restarted, id="the kubelet restarts"),
    ],
)
def test_a_change_under_way_comes_to_its_end(
    operated: Operated, node_namespace: str, happens: Callable[[Operated], None]
) -> None:
    busy = run(operated.agent, node_namespace, asking("busy", TELLS))
    held, container = operated.allocated(node_namespace, "busy"), started_once(operated, busy)
    (device,) = held["status"]["allocation"]["devices"]
    (gpu, mode) = next((bdf, mode) for bdf, mode in operated.modes().items() if bdf != device["bdf"])
    wanted = "QPX/NPS1" if mode != "QPX/NPS1" else "DPX/NPS1"

    path = plan(operated, gpu, wanted)
    operated.agent.eventually(lambda: changing(operated), "the agent changes the mode")
    happens(operated)
    done = ended(operated, path)["status"]

    # An agent takes up what it was at, and slices that kubelets delete come back. The way back is for changes that the
    # driver refuses, another mode than asked, and deadlines of 10 and 5 minutes: nothing of that happens here.
    assert done["phase"] == "Succeeded", done["steps"]
    assert operated.modes()[gpu] == wanted
    sound(operated)
    assert started_once(operated, busy) == container
    assert device_text(operated.allocated(node_namespace, "busy")) == device_text(held)
    later = create(operated.plane, node_namespace, asking("later", TELLS, annotations=opt_in(partition_mode=wanted)))
    told = environment(operated.agent, later)["AIM_GPU_PARTITION"]
    assert told == device_text(operated.allocated(node_namespace, "later"))
    assert told.endswith(wanted)


def changing(operated: Operated) -> bool:
    """Whether the agent is at work on the hardware."""
    return (operated.agent.status().get("operation") or {}).get("phase") == "Running"

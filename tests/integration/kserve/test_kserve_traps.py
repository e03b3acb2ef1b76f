"""What KServe does to strangers who write into its objects, without any operator of ours: why ours does not.

Each of these surprised somebody once. They are tests of KServe and not of us: one that fails after a new version of
KServe tells that a precaution of ours has lost its reason, or that a new one is due.
"""

import pytest

from tests.integration.kserve.services import Object, Services, condition, inference_service

pytestmark = [pytest.mark.plane, pytest.mark.kserve, pytest.mark.xdist_group("kserve")]

FINALIZER = "test.example.com/finalizer"
KSERVES_FINALIZER = "inferenceservice.finalizers"
GATE = "test.example.com/gate"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

MANY = 200  # the first is lost on a quiet machine; one in ten was (6 of 60, 7 of 80) on two crowded cores

FOREIGN: Object = {
    "type": "TestAllocated",
    "status": "False",
    "reason": "Waiting",
    "message": "no slice is free",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}
INFO: Object = FOREIGN | {"severity": "Info"}


def settled(services: Services, name: str) -> Object:
    """The service once KServe has its finalizer on it: it writes finalizers no more."""
    return services.wait_for(
        name,
        lambda service: KSERVES_FINALIZER in service["metadata"].get("finalizers", []),
        "KServe's finalizer is there",
    )


def test_a_finalizer_written_right_after_creation_is_lost(services: Services) -> None:
    """KServe patches the whole list as its cache had it, without a resourceVersion: within some ten milliseconds."""
    finalizers: list[str] = []
    for index in range(MANY):
        services.create(f"late-{index}")
        services.patch(f"late-{index}", {"metadata": {"finalizers": [FINALIZER]}})
        finalizers = settled(services, f"late-{index}")["metadata"]["finalizers"]
        services.patch(f"late-{index}", {"metadata": {"finalizers": None}})
        if finalizers == [KSERVES_FINALIZER]:
            break

    assert finalizers == [KSERVES_FINALIZER], f"of {MANY} none was lost"


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_a_finalizer_written_after_kserves_own_stays(name: str, services: Services) -> None:
    services.create(name)
    settled(services, name)

    services.patch(name, [{"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}])

    allow_three(services, name)
    finalizers = services.get(name)["metadata"]["finalizers"]
    services.patch(name, {"metadata": {"finalizers": None}})
    assert finalizers == [KSERVES_FINALIZER, FINALIZER]


def test_a_finalizer_that_is_there_at_creation_stays(services: Services) -> None:
    service = inference_service("born-with-it")
    service["metadata"]["finalizers"] = [FINALIZER]
    services.plane.admin.create(services.path(), service)

    finalizers = settled(services, "born-with-it")["metadata"]["finalizers"]

    services.patch("born-with-it", {"metadata": {"finalizers": None}})
    assert set(finalizers) == {KSERVES_FINALIZER, FINALIZER}


def test_with_a_foreign_finalizer_a_deleted_service_runs_on(services: Services) -> None:
    services.create_ready("held")
    services.patch("held", [{"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}])

    services.plane.admin.delete(services.path("held"))

    services.wait_for("held", lambda service: service["metadata"]["finalizers"] == [FINALIZER], "KServe let go")
    assert [pod["status"]["phase"] for pod in services.pods("held")] == ["Running"]
    services.patch("held", {"metadata": {"finalizers": None}})
    services.until(lambda: services.pods("held") == [], "its pods are gone")


def test_an_unknown_status_field_is_dropped_at_kserves_next_write(services: Services) -> None:
    services.create_ready("unknown")
    services.plane.admin.request(
        "PATCH", services.path("unknown") + "/status", {"status": {"gpuPartition": {"node": "gpu-0"}}}, MERGE
    )
    stored = services.get("unknown")["status"]["gpuPartition"]

    services.annotate("unknown", {"note.example.com/roll": "1"})

    assert stored == {"node": "gpu-0"}
    services.wait_for("unknown", lambda service: "gpuPartition" not in service["status"], "the field is dropped")


def test_a_condition_without_severity_makes_the_service_unready_until_it_is_info(services: Services) -> None:
    services.create_ready("severe")

    services.set_condition("severe", FOREIGN)

    unready = services.wait_for("severe", lambda service: condition(service, "Ready")["status"] == "False", "not Ready")
    assert condition(unready, "Ready")["reason"] == "Waiting"
    services.set_condition("severe", INFO)
    services.wait_for("severe", lambda service: condition(service, "Ready")["status"] == "True", "Ready again")


def test_a_condition_of_severity_info_survives_kserves_writes_and_ready_is_unaffected(services: Services) -> None:
    services.create_ready("informed")
    services.set_condition("informed", INFO)
    before = services.get("informed")["status"]["observedGeneration"]

    services.annotate("informed", {"note.example.com/roll": "1"})

    written = services.wait_for(
        "informed", lambda service: service["status"]["observedGeneration"] > before, "KServe has written"
    )
    assert condition(written, "TestAllocated") == INFO
    assert condition(written, "Ready")["status"] == "True"
    types = [entry["type"] for entry in written["status"]["conditions"]]
    assert types == sorted(types), "KServe sorts the list: its order means nothing"


@pytest.mark.parametrize("where", ["service", "predictor"])
def test_an_annotation_on_the_service_or_its_predictor_rolls_the_pods(where: str, services: Services) -> None:
    services.create_ready("rolled")
    (before,) = services.pods("rolled")
    annotations = {"annotations": {"note.example.com/assignment": "gpu-0"}}

    services.patch("rolled", {"metadata": annotations} if where == "service" else {"spec": {"predictor": annotations}})

    services.until(lambda: names(services.pods("rolled")).isdisjoint(names([before])), "the pod is replaced")
    (after,) = services.pods("rolled")
    assert after["metadata"]["annotations"]["note.example.com/assignment"] == "gpu-0"


def test_an_edit_of_the_deployment_is_reverted_at_the_price_of_a_rollout(services: Services) -> None:
    services.create_ready("edited")
    generation = services.deployment("edited")["metadata"]["generation"]
    template = {"metadata": {"annotations": {"note.example.com/assignment": "gpu-0"}}}

    services.plane.admin.patch(services.deployment_path("edited"), {"spec": {"template": template}})

    services.until(lambda: services.deployment("edited")["metadata"]["generation"] >= generation + 2, "KServe wrote")
    annotations = services.deployment("edited")["spec"]["template"]["metadata"]["annotations"]
    assert "note.example.com/assignment" not in annotations
    assert len(replica_sets(services, "edited")) == 2


def test_two_replicas_start_as_one_which_only_the_autoscaler_lifts(services: Services) -> None:
    services.create("scaled", minReplicas=2)

    assert services.deployment("scaled")["spec"]["replicas"] == 1
    services.until(lambda: services.autoscaler("scaled") is not None, "the autoscaler is there")
    autoscaler = services.autoscaler("scaled")
    assert autoscaler is not None
    assert autoscaler["spec"]["minReplicas"] == 2


def test_without_an_autoscaler_two_replicas_start_as_two(services: Services) -> None:
    services.create_ready("fixed", annotations={"serving.kserve.io/autoscalerClass": "none"}, minReplicas=2)

    assert services.deployment("fixed")["spec"]["replicas"] == 2
    assert services.autoscaler("fixed") is None
    assert len(services.pods("fixed")) == 2


def test_stopping_a_service_resets_its_status_once(services: Services) -> None:
    services.create_ready("stopped")
    services.set_condition("stopped", INFO)

    services.annotate("stopped", {"serving.kserve.io/stop": "true"})

    services.wait_for("stopped", lambda service: condition(service, "Stopped")["status"] == "True", "it is stopped")
    services.wait_for("stopped", lambda service: not condition(service, "TestAllocated"), "the condition is lost")
    services.until(lambda: services.plane.admin.find(services.deployment_path("stopped")) is None, "no Deployment")
    services.set_condition("stopped", INFO)
    services.annotate("stopped", {"serving.kserve.io/stop": None})
    again = services.wait_for("stopped", lambda service: condition(service, "Ready")["status"] == "True", "it is back")
    assert condition(again, "TestAllocated") == INFO, "written again it stays"


def test_the_observed_generation_is_the_deployments(services: Services) -> None:
    services.create_ready("observed")

    allow_three(services, "observed")

    service = services.get("observed")
    assert service["metadata"]["generation"] == 2
    assert service["status"]["observedGeneration"] == services.deployment("observed")["metadata"]["generation"] == 1


REMOVALS = [
    ("a strategic patch with an empty list", STRATEGIC, {"spec": {"schedulingGates": []}}, True),
    (
        "a strategic patch with $patch: delete",
        STRATEGIC,
        {"spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]}},
        False,
    ),
    ("a merge patch with an empty list", MERGE, {"spec": {"schedulingGates": []}}, False),
    ("a merge patch with null", MERGE, {"spec": {"schedulingGates": None}}, False),
    (
        "a JSON patch that tests the name first",
        JSON_PATCH,
        [
            {"op": "test", "path": "/spec/schedulingGates/0/name", "value": GATE},
            {"op": "remove", "path": "/spec/schedulingGates/0"},
        ],
        False,
    ),
    (
        "server-side apply by another manager",
        APPLY,
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gated"}, "spec": {"schedulingGates": []}},
        True,
    ),
]


@pytest.mark.parametrize(
    ("content_type", "patch", "stays"), [row[1:] for row in REMOVALS], ids=[row[0] for row in REMOVALS]
)
def test_a_gate_is_removed_only_by_some_patches(
    content_type: str, patch: Object, stays: bool, services: Services
) -> None:
    pods = f"/api/v1/namespaces/{services.namespace}/pods"
    spec = {"containers": [{"name": "main", "image": "example.com/server:1"}], "schedulingGates": [{"name": GATE}]}
    services.plane.admin.create(pods, {"metadata": {"name": "gated"}, "spec": spec})
    query = "?fieldManager=stranger&force=true" if content_type == APPLY else ""

    answer = services.plane.admin.request("PATCH", f"{pods}/gated{query}", patch, content_type)

    assert [gate["name"] for gate in answer["spec"].get("schedulingGates", [])] == ([GATE] if stays else [])


def allow_three(services: Services, name: str) -> None:
    """A change that KServe must act on and that leaves the Deployment alone; returns when it has."""
    services.patch(name, {"spec": {"predictor": {"maxReplicas": 3}}})
    services.until(
        lambda: (services.autoscaler(name) or {"spec": {"maxReplicas": 0}})["spec"]["maxReplicas"] == 3,
        f"KServe has let {name} grow to three",
    )


def replica_sets(services: Services, name: str) -> list[Object]:
    path = f"/apis/apps/v1/namespaces/{services.namespace}/replicasets"
    items: list[Object] = services.plane.admin.get(path)["items"]
    return [item for item in items if item["metadata"]["ownerReferences"][0]["name"] == f"{name}-predictor"]


def names(objects: list[Object]) -> set[str]:
    return {obj["metadata"]["name"] for obj in objects}

"""`aim-gpu plan`: the answer to good files, and what is said about bad ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from controller.cli.offline_nodes import default_nodes, placement_node
from controller.placement.decision import Placed
from controller.placement.demand import Demand
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Snapshot
from controller.sizing.catalog import Catalog
from controller.sizing.requirement import SizingRequest
from controller.state.models import Models
from tests.builders.demand import constrained, demand
from tests.builders.gpu import GIB
from tests.builders.model_profile import MODEL, model_profile
from tests.controller.cli.plan_files import (
    EXAMPLES,
    HALF,
    HUGE,
    LIMITS,
    NODES,
    SMALL,
    WHOLE,
    Write,
    invoke,
    of_kserve,
    planned,
    pod,
    policy,
    promised,
    replicas,
    service,
    template,
    workload,
)

# The answer ----------------------------------------------------------------------------------------------------------


def test_json_has_every_field_and_no_other(write: Write) -> None:
    answer = planned("-f", write(service("chat")))
    assert list(answer) == ["nodes", "services", "changes", "leaving", "placed", "pending", "partitions", "gpus"]
    assert answer["nodes"][1] == {"name": "gpu-b", "product": "MI300X", "gpus": 8, "mode": "CPX/NPS4"}
    (only,) = answer["services"]
    told = ["kind", "namespace", "name", "model", "precision", "need_bytes", "partition_count", "replicas", "nearest"]
    assert list(only) == told
    assert (only["kind"], only["namespace"], only["name"]) == ("InferenceService", "team", "chat")
    (place,) = only["replicas"]
    assert place == {
        "placed": True,
        "node": "gpu-b",
        "bdf": "0000:05:00.0",
        "partition": 0,
        "mode": "CPX/NPS4",
        "bytes": 24574 * 2**20,
        "partitions": [{"bdf": "0000:05:00.0", "partition": 0, "bytes": 24574 * 2**20}],
        "change": None,
    }
    assert (answer["placed"], answer["pending"], answer["changes"]) == (1, 0, [])
    assert (only["partition_count"], answer["partitions"], answer["gpus"]) == (1, 1, 1)


def test_need_is_what_sizing_finds(write: Write) -> None:
    asked = service("chat") | {"spec": {"model": {"id": SMALL, "precision": "int8"} | LIMITS}}
    (only,) = planned("-f", write(asked))["services"]
    sizing = Models(Catalog.bundled())
    want = sizing.size(SizingRequest(SMALL, only["precision"], max_model_len=2048, max_concurrency=3))
    assert (only["precision"], only["need_bytes"]) == ("int8", want.total_bytes)


def test_the_examples_are_planned_as_they_declare() -> None:
    answer = planned("-f", EXAMPLES, "--nodes", EXAMPLES / "cluster" / "nodes.yaml")
    waiting = {name: rows[0]["reason"] for name, rows in replicas(answer).items() if not rows[0]["placed"]}
    assert waiting == {"deepseek-v3": "TooLargeForAnyGPU"}
    assert len(answer["services"]) == 14
    assert len(answer["changes"]) == 1
    assert answer["nodes"] == planned("-f", EXAMPLES)["nodes"]


def test_a_plan_shows_what_changes_once_a_window_is_open(write: Write) -> None:
    rules = {"enabled": True, "approval": "Auto", "windows": [{"start": "08:00", "end": "10:00"}]}
    wanted = service("chat", gpuSharing={"partition": {"mode": "CPX/NPS1"}})
    files = write(wanted, policy(repartition=rules))
    (change,) = planned("-f", files, "--nodes", write(json.dumps(NODES), name="nodes"))["changes"]
    assert change["gpus"] == [{"bdf": "0000:05:00.0", "from": "SPX/NPS1", "to": "CPX/NPS1"}]


def test_places_are_those_of_the_scheduler_on_the_same_nodes(write: Write) -> None:
    models = {"a": SMALL, "b": HALF, "c": WHOLE, "d": SMALL, "e": HUGE, "f": HALF}
    answer = planned("-f", write(*(service(name, model) for name, model in models.items())))
    snapshot = Snapshot(placement_node(node, (), {}) for node in default_nodes())
    decisions = ModelScheduler().cycle(snapshot, [_demand(i, *row) for i, row in enumerate(models.items())])
    want = {one.key.partition("/")[2]: _place(decision) for one, decision in decisions}
    got = {name: _told(rows[0]) for name, rows in replicas(answer).items()}
    assert got == want
    assert sum(place is not None for place in want.values()) == 5


def _demand(index: int, name: str, model: str) -> Demand:
    need = Models(Catalog.bundled()).size(SizingRequest(model)).total_bytes
    return demand(f"team/{name}", need / GIB, created_seconds=float(index), pod=constrained())


def _place(decision: object) -> tuple[str, str, int] | None:
    if not isinstance(decision, Placed):
        return None
    return decision.node.name, decision.gpu.bdf, decision.partition.id.index


def _told(row: dict[str, Any]) -> tuple[str, str, int] | None:
    return (row["node"], row["bdf"], row["partition"]) if row["placed"] else None


@pytest.mark.parametrize(
    ("obj", "want"),
    [
        pytest.param(workload("Deployment", "x", {"replicas": 2, "template": template()}), 2, id="deployment"),
        pytest.param(workload("StatefulSet", "x", {"template": template()}), 1, id="statefulset without replicas"),
        pytest.param(workload("ReplicaSet", "x", {"replicas": 3, "template": template()}), 3, id="replicaset"),
        pytest.param(
            workload("Job", "x", {"parallelism": 2, "template": template()}, "batch/v1"), 2, id="job by parallelism"
        ),
        pytest.param(pod("x"), 1, id="pod"),
        pytest.param(service("x", replicas=4), 4, id="our service"),
        pytest.param(service("x", replicas=0), 0, id="scaled to zero"),
        pytest.param(of_kserve(), 1, id="KServe's service"),
        pytest.param(of_kserve(minReplicas=3, model={"modelFormat": {"name": "vllm"}}), 3, id="KServe's, by a runtime"),
    ],
)
def test_each_entry_counts_its_pods(write: Write, obj: dict[str, Any], want: int) -> None:
    answer = planned("-f", write(obj))
    assert len(replicas(answer)["x"]) == want == answer["placed"]


@pytest.mark.parametrize(
    ("obj", "want"),
    [
        pytest.param(
            workload("Deployment", "web", {"template": template(None)}),
            "Deployment web does not opt in",
            id="no opt-in",
        ),
        pytest.param(
            of_kserve(annotations={"aim.amd.com/gpu-sharing": "false"}),
            "InferenceService x does not opt in",
            id="the predictor's annotations go over the service's",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}},
            "ConfigMap c is not planned for",
            id="a kind without pods",
        ),
    ],
)
def test_what_asks_for_nothing_is_skipped_and_said(write: Write, obj: dict[str, Any], want: str) -> None:
    answer = planned("-f", write(obj, service("chat")))
    assert [each["name"] for each in answer["services"]] == ["chat"]
    alone = invoke("-f", write(obj))
    assert (alone.exit_code, alone.stdout) == (2, "")
    skipped, error = alone.stderr.splitlines()
    assert want in skipped
    assert error.startswith("error: nothing in these files asks for a GPU; give InferenceServices, or pod templates")


def test_models_are_sized_by_the_profiles_among_the_files(write: Write) -> None:
    profile = model_profile("mine", overrides={"weightsBytes": 30 << 30})
    named = service("named") | {"spec": {"model": {"id": SMALL, "profileRef": "mine"}}}
    answer = planned("-f", write(profile, service("own", MODEL), named))
    needs = {found["name"]: found["need_bytes"] for found in answer["services"]}
    assert needs["own"] == needs["named"] > 30 << 30
    assert answer["placed"] == 2


def test_a_template_is_read_as_the_api_server_reads_it(write: Write) -> None:
    rendered = pod("x")
    rendered["spec"]["containers"][0]["resources"] = {"requests": {"cpu": 2, "memory": "1Gi"}, "limits": None}
    rendered["spec"] |= {"nodeSelector": None, "tolerations": None, "initContainers": None}
    rendered["metadata"] |= {"creationTimestamp": None, "labels": None}
    assert replicas(planned("-f", write(rendered)))["x"][0]["placed"]


def test_a_template_with_more_than_a_node_has_waits(write: Write) -> None:
    answer = planned("-f", write(with_request(200)))
    assert "88 NodeResourcesShort" in replicas(answer)["chat"][0]["message"]


def test_every_note_stands_on_its_own_line(write: Write) -> None:
    result = invoke("-f", write(service("chat"), workload("Deployment", "web", {"template": template(None)})))
    notes = result.stderr.splitlines()
    assert [note.split(" ")[0] for note in notes] == [notes[0].split(" ")[0], "no", "1"]
    assert notes[1].startswith("no --nodes given, taken are gpu-a 8xMI300X SPX/NPS1, gpu-b")
    assert notes[2] == "1 service: 1 pod on 1 partition of 1 GPU, 0 waiting, 0 mode changes"


def test_the_table_has_a_row_a_place_and_a_line_a_reason(write: Write) -> None:
    result = invoke("-f", write(service("chat", replicas=3), service("giant", HUGE, replicas=2)))
    assert result.exit_code == 0
    (row,) = [line for line in result.stdout.splitlines() if "team/chat" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")][4:] == ["3", "gpu-b", "CPX/NPS4"]
    text = " ".join(result.stdout.split())
    assert "team/giant waits (2 pods): TooLargeForAnyGPU: the model needs" in text
    assert "it fits with spec.gpuSharing.partition.count 4" in text
    assert (
        "nearest change: set spec.gpuSharing.partition.count to 4 (the owner of the pod); it would go to gpu-a" in text
    )


def test_the_nearest_change_of_an_example_really_places_it(tmp_path: Path) -> None:
    files = Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))
    asked = ("-f", files, "--nodes", files / "cluster" / "nodes.yaml")
    (waits,) = [each for each in planned(*asked)["services"] if each["name"] == "deepseek-v3"]
    assert waits["nearest"][0]["text"] == "set aim.amd.com/partition-count to 4"
    model = "        aim.amd.com/model-id: deepseek-ai/DeepSeek-V3\n"
    chat = files / "team-chat.yaml"
    chat.write_text(chat.read_text().replace(model, f'{model}        aim.amd.com/partition-count: "4"\n'))
    assert replicas(planned(*asked))["deepseek-v3"][0]["placed"]


def test_a_precision_that_no_gpu_of_the_nodes_serves_waits_with_the_reason(write: Write) -> None:
    old = {"nodes": [{"name": "old", "product": "MI210", "gpus": 2}]}
    asked = service("chat") | {"spec": {"model": {"id": SMALL, "precision": "fp8"}}}
    (row,) = replicas(planned("-f", write(asked), "--nodes", write(old, name="nodes")))["chat"]
    wall = "fp8 needs gfx942 or newer, and the MI210 is gfx90a: choose another product or precision"
    assert (row["reason"], row["message"]) == ("PrecisionUnsupported", f"no GPU here (MI210) serves fp8: {wall}")


# Mode changes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("divide", "want"), [("First", [True, True]), ("WhenFull", [True, False])])
def test_an_idle_gpu_is_divided_for_two_unless_models_are_to_take_what_is_free(
    write: Write, divide: str, want: list[bool]
) -> None:
    rules = policy(repartition={"enabled": True, "approval": "Auto", "divide": divide})
    nodes = write(NODES, name="nodes.yaml")
    answer = planned("-f", write(service("a", HALF), service("b", HALF), rules), "--nodes", nodes)
    rows = [replicas(answer)[name][0] for name in ("a", "b")]
    assert [row["placed"] for row in rows] == want
    assert len(answer["changes"]) == (divide == "First")
    if divide == "WhenFull":
        # the first has the whole GPU, for nothing smaller was free, and nobody moves for the second
        assert (rows[1]["reason"], "no mode change" in rows[1]["message"]) == ("NoFreePartition", True)


def test_a_whole_gpu_beyond_the_quota_is_put_into_partitions_within_it(write: Write) -> None:
    nodes = write(NODES, name="nodes.yaml")
    answer = planned("-f", write(service("a"), policy(quotas=[{"namespace": "team", "max": "60Gi"}])), "--nodes", nodes)
    assert replicas(answer)["a"][0]["mode"] == "CPX/NPS1"
    answer = planned("-f", write(service("a"), policy(quotas=[{"namespace": "team", "max": "20Gi"}])), "--nodes", nodes)
    assert (replicas(answer)["a"][0]["reason"], answer["changes"]) == ("QuotaExceeded", [])


@pytest.mark.parametrize(
    ("of_policy", "waits"),
    [
        pytest.param({"sharedConcurrency": 5}, [], id="as much as the policy lets be in flight"),
        pytest.param({"sharedConcurrency": 4}, ["b"], id="the second more than the first leaves"),
        pytest.param({}, [], id="without a bound"),
        pytest.param(
            {
                "sharedConcurrency": 1,
                "nodeSelector": {"matchLabels": {"not": "here"}},
                "namespaceSelector": {"matchLabels": {"team": "other"}},
            },
            [],
            id="with one for another namespace",
        ),
    ],
)
def test_services_of_a_group_are_promised_together(write: Write, of_policy: dict[str, Any], waits: list[str]) -> None:
    nodes = write({"nodes": [NODES["nodes"][0] | {"mode": "CPX/NPS4"}]}, name="nodes.yaml")
    files = write(policy(**of_policy), promised("a", 3), promised("b", 2))
    found = replicas(planned("-f", files, "--nodes", nodes))
    assert [name for name, (row,) in found.items() if not row["placed"]] == waits
    for name in waits:
        (row,) = found[name]
        assert row["reason"] == "GuaranteeCapacity"
        assert "can promise 1 more requests in flight" in row["message"]
        assert "minConcurrency 2 is asked for" in row["message"]


def test_an_automatic_change_makes_a_place(write: Write) -> None:
    nodes = write(NODES, name="nodes.yaml")
    wanted = service("a", HALF, gpuSharing={"partition": {"mode": "DPX/NPS1"}})
    answer = planned("-f", write(wanted, policy()), "--nodes", nodes)
    (place,) = replicas(answer)["a"]
    (change,) = answer["changes"]
    assert (place["placed"], place["mode"], place["change"]) == (True, "DPX/NPS1", change)
    assert (change["node"], change["policy"], change["approval"]) == ("only", "everywhere", "Auto")
    assert change["gpus"] == [{"bdf": place["bdf"], "from": "SPX/NPS1", "to": "DPX/NPS1"}]


@pytest.mark.parametrize(
    ("rule", "want_change", "want_words"),
    [
        pytest.param(policy("Manual"), True, "policy everywhere asks for an approval", id="a person must approve"),
        pytest.param(policy(allowedModes=["SPX/NPS1"]), False, "no mode change", id="the policy has not got the mode"),
        pytest.param(policy(paused=True), False, "", id="paused"),
        pytest.param(None, False, "no mode change", id="no policy"),
    ],
)
def test_without_an_automatic_change_it_waits(
    write: Write, rule: dict[str, Any] | None, want_change: bool, want_words: str
) -> None:
    nodes = write(NODES, name="nodes.yaml")
    wanted = service("a", HALF, gpuSharing={"partition": {"mode": "DPX/NPS1"}})
    answer = planned("-f", write(*filter(None, (wanted, rule))), "--nodes", nodes)
    (row,) = replicas(answer)["a"]
    assert not row["placed"]
    assert row["reason"]
    assert (row["change"] is not None) == want_change
    assert want_words in row["message"]
    assert answer["changes"] == []


# Bad input -----------------------------------------------------------------------------------------------------------


def with_request(quantity: object) -> dict[str, Any]:
    made = pod()
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": quantity}}
    return made


PARTITION = "spec.gpuSharing.partition"


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param("", ("no object is in it", "write apiVersion, kind and metadata"), id="empty"),
        pytest.param("# only words\n---\n", ("no object is in it", "write apiVersion"), id="empty but for a comment"),
        pytest.param("a: [1\n", ("line 2, column 1", "is no YAML", "correct the text there"), id="not YAML"),
        pytest.param("- 1", ("document: [1]", "is no object", "write apiVersion"), id="a list"),
        pytest.param("kind: Pod\n", ("apiVersion: None", "give each object its apiVersion"), id="no apiVersion"),
        pytest.param("apiVersion: v1\nkind: Pod\nmetadata: {}\n", ("metadata.name: {}", "name the Pod"), id="no name"),
        pytest.param(
            service("a", gpuSharing={"partition": {"mode": "CPX/NPS9"}}),
            (f"InferenceService a: {PARTITION}.mode: 'CPX/NPS9'", "kubectl explain"),
            id="unknown mode in a service",
        ),
        pytest.param(
            pod(partition_mode="CPX-NPS9"),
            ("Pod chat: aim.amd.com/partition-mode: 'CPX-NPS9'", "such as CPX/NPS4"),
            id="unknown mode in an annotation",
        ),
        pytest.param(
            service("a", gpuSharing={"partition": {"minMemory": "lots"}}),
            (f"{PARTITION}.minMemory: 'lots'", f"kubectl explain inferenceservice.{PARTITION}.minMemory"),
            id="bad quantity in a service",
        ),
        pytest.param(
            with_request("many"),
            ("spec.containers.0.resources.requests.cpu: 'many'", "write e.g. 500m"),
            id="bad quantity in a pod",
        ),
        pytest.param(
            with_request({"amount": 2}),
            ("spec.containers.0.resources.requests.cpu: {'amount': 2}", "write e.g. 500m"),
            id="an object where a quantity belongs",
        ),
        pytest.param(
            service("a", predictor={"containers": [{"name": "a", "resources": {"limits": {"memory": "1 GB"}}}]}),
            ("spec.predictor.containers.0.resources.limits.memory: '1 GB'", "4Gi"),
            id="bad quantity in a service's container",
        ),
        pytest.param(
            service("a", gpuSharing={"partition": {"memory": "16Gi"}}),
            (f"{PARTITION}.memory: '16Gi'", "does not exist", f"kubectl explain inferenceservice.{PARTITION}`"),
            id="misspelt field",
        ),
        pytest.param(
            service("a") | {"spec": {"model": {}}},
            ("InferenceService a: spec.model.id", "kubectl explain"),
            id="missing field",
        ),
        pytest.param(
            workload("Deployment", "a", {"replicas": "many", "template": template()}),
            ("Deployment a: spec.replicas: 'many'", "write 0 or more"),
            id="replicas are no count",
        ),
        pytest.param(
            workload("Deployment", "a", {"replicas": 1}),
            ("Deployment a: spec", "kubectl apply --dry-run=server"),
            id="no template",
        ),
        pytest.param(pod(gpu_sharing="yes"), ("aim.amd.com/gpu-sharing: 'yes'",), id="opt-in is neither"),
        pytest.param(
            pod() | {"spec": {"containers": [{"image": "engine"}]}},
            ("Pod chat: spec: ''", "missing required field `name` - at `$.containers[0]`", "--dry-run=server"),
            id="a container without a name",
        ),
        pytest.param(
            pod() | {"spec": template()["spec"] | {"nodeSelector": {"gpus": 8}}},
            ("Pod chat: spec: ''", "Expected `str`, got `int` - at `$.nodeSelector[...]`", "--dry-run=server"),
            id="a label that is a number",
        ),
        pytest.param(pod("S_1"), ("metadata.name: 'S_1' cannot name a Pod",), id="a name of another form"),
        pytest.param(
            pod() | {"metadata": {"name": "a", "annotations": {"aim.amd.com/max-model-len": 8192}}},
            ("metadata.annotations.aim.amd.com/max-model-len: 8192 is no text", 'put it in quotes: "8192"'),
            id="a number for an annotation",
        ),
        pytest.param(
            service("a", replicas=True),
            ("InferenceService a: spec.replicas: True", "write a whole number"),
            id="a truth for a number",
        ),
        pytest.param(
            policy(quotas=[{"namespace": "a", "min": "2Gi", "max": "1Gi"}]),
            ("spec.quotas[0].min", "min 2Gi is larger than max 1Gi", "raise max"),
            id="a rule between fields",
        ),
        pytest.param(
            policy(quotas=[{"namespace": "a", "max": "1Gi"}, {"namespace": "a", "max": "2Gi"}]),
            ("spec.quotas[1]: 'a' is given twice",),
            id="two entries of one key",
        ),
        pytest.param(
            workload("Deployment", "a", {"replicas": 5_000_000, "template": template()}),
            ("Deployment a: pods: 5000000", "more than a plan is made for", "fewer replicas"),
            id="more pods than can be planned",
        ),
        pytest.param("[" * 5000, ("nested more than 200 levels", "split it"), id="lists in lists"),
        pytest.param(
            pod() | {"spec": template()["spec"] | {"tolerations": {"operator": "Exists"}}},
            ("Expected `array`, got `object` - at `$.tolerations`",),
            id="an object where a list belongs",
        ),
    ],
)
def test_a_bad_file_ends_with_2_and_names_file_field_value_remedy(
    write: Write, content: Any, want: tuple[str, ...]
) -> None:
    file = write(content)
    _assert_refused(invoke("-f", file, "-o", "json"), file, want)


def test_the_same_object_twice_is_refused(write: Write) -> None:
    file = write(service("a"), service("a"))
    _assert_refused(invoke("-f", file), file, ("metadata.name: 'a' is given twice", "keep one"))


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("absent.yaml", ("absent.yaml: ", "is not there; name a YAML file"), id="missing"),
        pytest.param("empty", ("holds no YAML", "name a YAML file, or a directory with some"), id="folder without any"),
    ],
)
def test_a_path_without_a_file_is_refused(tmp_path: Path, name: str, want: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    _assert_refused(invoke("-f", tmp_path / name), tmp_path / name, want)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "binary.yaml"
    file.write_bytes(b"\xff\xfe")
    _assert_refused(invoke("-f", file), file, ("cannot be read", "name a readable text file"))


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param({"nodes": []}, ("nodes: []", "write e.g. nodes:"), id="no node"),
        pytest.param({"nodes": [{"name": "a", "gpus": 9}]}, ("nodes.0.gpus: 9",), id="more GPUs than a server has"),
        pytest.param({"nodes": [{"name": "a", "gpu": 8}]}, ("nodes.0.gpu: 8",), id="unknown key"),
        pytest.param({"nodes": [{"name": "a", "mode": "CPX/NPS9"}]}, ("nodes.0.mode: 'CPX/NPS9'",), id="unknown mode"),
        pytest.param(
            {"nodes": [{"name": "a", "product": "MI210", "mode": "CPX/NPS4"}]},
            ("nodes.0.mode: 'CPX/NPS4'",),
            id="a mode that the GPU has not got",
        ),
        pytest.param({"nodes": [{"name": "a", "product": "H100"}]}, ("nodes.0.product: 'H100'", "MI300X"), id="GPU"),
        pytest.param(
            {"nodes": [{"name": "a"}, {"name": "a"}]}, ("nodes.1.name: 'a'", "name each node once"), id="twice"
        ),
        pytest.param({"nodes": [{"name": "A_ b/.."}]}, ("nodes.0.name: 'A_ b/..'", "cannot name a node"), id="name"),
        pytest.param("", ("document: 0", "write one, with the list `nodes`"), id="empty"),
    ],
)
def test_bad_nodes_are_refused_likewise(write: Write, content: Any, want: tuple[str, ...]) -> None:
    nodes = write(content, name="nodes.yaml")
    _assert_refused(invoke("-f", write(service("a")), "--nodes", nodes), nodes, want)


def _assert_refused(result: Result, file: Path, want: tuple[str, ...]) -> None:
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {file}: ")
    assert len(result.stderr.splitlines()) == 1
    for text in want:
        assert text in result.stderr

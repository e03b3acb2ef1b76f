from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from api.v1beta1 import InferenceService
from controller.gpu.product import product_named
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.webhooks.hardware import managed_nodes
from controller.webhooks.second_look import LOOK_AGAIN_SECONDS, SETTLE_SECONDS
from controller.webhooks.service_validation import ServiceFacts, ServiceValidator, precision_served
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.model_profile import MODEL, model_profile
from tests.builders.policy import policy_object
from tests.controller.webhooks.ground import Ground, Object

SMALL = {"id": "Qwen/Qwen3-4B"}
#: 141 GB of weights in 16 bit: a whole MI300X, or no partition.
UNCOPIED = {"id": "allenai/OLMo-2-0325-32B-Instruct", "precision": "fp8"}
LARGE = {"id": "meta-llama/Llama-3.3-70B-Instruct", "precision": "bf16"}
GOLD = policy_object("gold", namespace_labels={"team": "a"}, validatedOnly=False)
MI210 = gpu(product="MI210", mode="SPX/NPS1")
EIGHT = [gpu(number) for number in range(8)]
OTHERS = policy_object("others", namespace_labels={"team": "b"}, qosClasses=[{"name": "secret", "rank": 0}])


def service(model: Object, name: str = "chat", **spec: Any) -> Object:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "team-a", "uid": "u", "generation": 1},
        "spec": {"model": model, **spec},
    }


def sharing(**fields: Any) -> Object:
    return {"gpuSharing": fields}


async def nothing_newer() -> None:
    """The watches have brought everything."""


def validator(ground: Ground, latest: Callable[[], Awaitable[None]] = nothing_newer) -> ServiceValidator:
    return ServiceValidator(ground.cluster, ground.models, latest)


def cpx_forever() -> Ground:
    """One MI300X in CPX that its policy lets be in CPX/NPS4 and CPX/NPS1 only: partitions of 24 GiB at most."""
    only = policy_object("small", allowedModes=["CPX/NPS4", "CPX/NPS1"], validatedOnly=False)
    return Ground(policies=[only], nodes={"n": [gpu()]})


def old_and_new(**policy: Any) -> Ground:
    """An MI210 that no policy governs, and an MI300X under a policy."""
    policies = [policy_object("new", node_labels={"pool": "new"}, **policy)]
    return Ground(policies=policies, nodes={"old": [MI210], "new": [gpu()]}, labels={"new": {"pool": "new"}})


REFUSED = [
    pytest.param(Ground(), {"id": "Qwen/Qwen3-9B"}, {}, ["spec.model.id", "Qwen/Qwen3-9B", "Qwen/Qwen3-8B", "UnknownModel"], id="a model that nobody knows"),
    pytest.param(Ground(), {"id": "openai/gpt-oss-20b", "precision": "int4"}, {}, ["spec.model.precision", "int4", "use auto or one of mxfp4"], id="a precision the model has not got"),
    pytest.param(Ground(), {"id": "Qwen/Qwen3-8B", "maxModelLen": 99999}, {}, ["spec.model.maxModelLen", "99999", "use at most 40960"], id="longer than the model's positions"),
    pytest.param(Ground(), SMALL, sharing(policyRef="nosuch"), ["spec.gpuSharing.policyRef", "nosuch", "is no GPUSharingPolicy", "leave it out"], id="a policy that does not exist"),
    pytest.param(Ground(policies=[GOLD, OTHERS]), SMALL, sharing(policyRef="golden"), ["golden", "choose gold, or leave"], id="a misspelt policy: the right one is offered"),
    pytest.param(Ground(policies=[GOLD, OTHERS]), SMALL, sharing(policyRef="others"), ["policyRef: 'others' does not select namespace team-a", "choose gold"], id="a policy for other namespaces"),
    pytest.param(Ground(), SMALL, {"qos": {"class": "gold"}}, ["spec.qos.class", "gold", "built in", "realtime, standard, batch"], id="no such class, no policy"),
    pytest.param(Ground(policies=[policy_object("p", qosClasses=[{"name": "fast", "rank": 0}])]), SMALL, {"qos": {"class": "standard"}}, ["spec.qos.class", "standard", "policy p", "choose one of fast"], id="a built-in class where the policy has its own"),
    pytest.param(Ground(policies=[GOLD, policy_object("p", qosClasses=[{"name": "fast", "rank": 0}])]), SMALL, {"qos": {"class": "batch"}, **sharing(policyRef="p")}, ["batch", "policy p", "choose one of fast"], id="a class of another policy than the one named"),
    pytest.param(Ground(nodes={"n": [gpu()]}), {"id": "deepseek-ai/DeepSeek-R1", "precision": "fp8"}, {}, ["spec.model.id", "deepseek-ai/DeepSeek-R1", "GiB for 8 sequences of 8192 tokens in fp8", "192.0 GiB, of MI300X in SPX/NPS1: no smaller precision", "no number of partitions makes it fit; choose another model"], id="more weights than any GPU has"),
    pytest.param(Ground(nodes={"n": EIGHT}), {"id": "deepseek-ai/DeepSeek-R1", "precision": "fp8"}, {}, ["spec.model.id", "it fits with spec.gpuSharing.partition.count 4"], id="more weights than any GPU has, and a node has more than one"),
    pytest.param(Ground(nodes={"n": EIGHT}), {"id": "meta-llama/Llama-3.1-405B-Instruct", "precision": "bf16"}, {}, ["it fits with spec.gpuSharing.partition.count 8"], id="the largest model in 16 bit"),
    pytest.param(Ground(nodes={"n": EIGHT}), {"id": "meta-llama/Llama-3.1-405B-Instruct"}, sharing(isolation="cooperative", shareGroup="g"), ["no number of partitions makes it fit"], id="a member of a share group takes one partition only"),
    pytest.param(Ground(nodes={"n": [gpu()]}), {"id": "Qwen/Qwen3-8B", "maxModelLen": 40960, "maxConcurrency": 512}, {}, ["spec.model.id", "512 sequences of 40960 tokens", "it fits with spec.model.maxConcurrency 16 or with spec.model.maxModelLen 1280"], id="more cache than any GPU has"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL, sharing(partition={"minMemory": "200Gi"}), ["spec.gpuSharing.partition.minMemory", "200Gi", "192.0 GiB", "lower it"], id="more asked than any GPU has"),
    pytest.param(Ground(nodes={"n": [gpu()]}), LARGE, sharing(partition={"mode": "CPX/NPS4"}), ["spec.gpuSharing.partition.mode", "CPX/NPS4", "24.0 GiB at most", "choose SPX/NPS1"], id="a mode whose partitions are too small"),
    pytest.param(Ground(), {"id": "deepseek-ai/DeepSeek-R1"}, {}, ["spec.model.id", "deepseek-ai/DeepSeek-R1", "the largest GPU of all that serve fp8, the MI355X, has 288.0 GiB: it fits with spec.gpuSharing.partition.count 4"], id="more than a GPU of any product has, on an empty cluster"),
    pytest.param(Ground(), SMALL, sharing(partition={"minMemory": "300Gi"}), ["spec.gpuSharing.partition.minMemory", "300Gi", "the MI355X, has 288.0 GiB", "lower it"], id="more asked than a GPU of any product has, on an empty cluster"),
    pytest.param(Ground(policies=[policy_object("grows", whenFull="ReleaseForAutoscaler")], nodes={"n": [gpu()]}), {"id": "deepseek-ai/DeepSeek-R1"}, {}, ["TooLargeForAnyGPU", "192.0 GiB, of MI300X"], id="more than any node that an autoscaler could add has"),
    pytest.param(old_and_new(allowedModes=["CPX/NPS4"], validatedOnly=False), {"id": "Qwen/Qwen3-32B", "precision": "fp8"}, {}, ["spec.model.id", "in fp8", "24.0 GiB, of MI300X in CPX", "have the policy allow"], id="the GPU that is large enough does not serve the precision"),
    pytest.param(cpx_forever(), LARGE, {}, ["spec.model.id", "24.0 GiB, of MI300X in CPX", "have the policy allow SPX/NPS1"], id="nothing large enough that the policy allows"),
]  # fmt: skip


@pytest.mark.parametrize(("ground", "model", "spec", "want_words"), REFUSED)
async def test_a_bad_service_is_refused_with_field_value_and_remedy(
    ground: Ground, model: Object, spec: Object, want_words: list[str]
) -> None:
    given = await ground.ask(validator(ground), service(model, **spec))
    assert (given.allowed, given.code) == (False, 422)
    assert all(word in given.message for word in want_words), given.message


WARNED = [
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL | {"precision": "int8"}, {}, ["spec.model.precision", "int8", "no known checkpoint of Qwen/Qwen3-4B", "Set spec.model.id"], id="a precision of which no weights are known"),
    pytest.param(Ground(nodes={"n": [gpu()]}), UNCOPIED, {"predictor": {"containers": [{"name": "main"}]}}, ["spec.model.precision", "'fp8'", "assumes that 16-bit weights are quantized as they are loaded", "--quantization fp8"], id="fp8 that an engine of the user's must make"),
    pytest.param(Ground(), SMALL, {}, ["spec.model.id", "no GPU node has reported", "aim.amd.com/managed=true"], id="an empty cluster"),
    pytest.param(Ground(nodes={"n": []}), LARGE, {}, ["no GPU node has reported"], id="only silent agents"),
    pytest.param(Ground(nodes={"n": [gpu(product="MI210", mode="SPX/NPS1")], "silent": []}), LARGE, {}, ["needs", "64.0 GiB, of MI210"], id="too large for what is known, but one agent is silent"),
    pytest.param(Ground(policies=[policy_object("grows", whenFull="ReleaseForAutoscaler")], nodes={"n": [gpu(product="MI210", mode="SPX/NPS1")]}), LARGE, {}, ["needs"], id="too large for nodes of today, but an autoscaler may add others"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL, sharing(isolation="cooperative", shareGroup="g", partition={"resize": "Auto"}), ["spec.gpuSharing.partition.resize", "Auto", "one partition together"], id="a member of a group that would grow"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL, sharing(partition={"mode": "TPX/NPS1"}), ["spec.gpuSharing.partition.mode", "TPX/NPS1", "CPX/NPS1, CPX/NPS4, DPX/NPS1"], id="a mode that no product here has"),
    pytest.param(cpx_forever(), SMALL, sharing(partition={"mode": "SPX/NPS1"}), ["SPX/NPS1", "choose one of CPX/NPS1, CPX/NPS4"], id="a mode that the policy does not allow"),
    pytest.param(Ground(policies=[OTHERS], nodes={"n": [gpu()]}), SMALL, {}, ["metadata.namespace", "team-a", "may use no GPU node"], id="every node is another team's"),
    pytest.param(Ground(policies=[GOLD, policy_object("lonely", node_labels={"no": "where"})], nodes={"n": [gpu()]}), SMALL, sharing(policyRef="lonely"), ["spec.gpuSharing.policyRef", "lonely", "may use no GPU node"], id="the policy named governs no node"),
    pytest.param(Ground(policies=[policy_object("lonely", node_labels={"no": "where"})], nodes={"n": [gpu()]}), SMALL, sharing(policyRef="lonely"), ["lonely", "may use no GPU node"], id="the policy named governs no node, and nobody governs the others"),
    pytest.param(Ground(nodes={"n": [MI210]}), SMALL | {"precision": "fp8"}, {}, ["spec.model.precision", "'fp8'", "no GPU here (MI210) serves fp8: fp8 needs gfx942 or newer", "choose another product or precision"], id="a precision that no GPU here serves"),
    pytest.param(Ground(nodes={"n": [MI210]}), {"id": "Qwen/Qwen3-0.6B-FP8"}, {}, ["spec.model.precision", "'auto'", "serves fp8"], id="a model published in a precision that no GPU here serves"),
    pytest.param(old_and_new(namespace_labels={"team": "b"}), SMALL | {"precision": "fp8"}, {}, ["spec.model.precision", "no GPU here (MI210) serves fp8"], id="the GPUs that serve the precision are another team's"),
    pytest.param(Ground(nodes={"n": [gpu()]}), LARGE, sharing(partition={"count": 64}), ["spec.gpuSharing.partition.count", "64", "the 32 that"], id="more partitions than a claim takes"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL | {"maxConcurrency": 4}, {"replicas": 2, "qos": {"guarantees": {"minConcurrency": 9}}}, ["spec.qos.guarantees.minConcurrency", "9", "the 8 requests that memory is reserved for, 4 at each of 2 pods", "raise spec.model.maxConcurrency or spec.replicas"], id="more guaranteed than memory is reserved for"),
    pytest.param(Ground(nodes={"n": [gpu()]}, services=[service(SMALL, name="draft")]), SMALL, {}, ["spec.model.id", "Qwen/Qwen3-4B", "what draft of this namespace", "model team-a/chat"], id="a model that another service of the namespace serves"),
]  # fmt: skip


@pytest.mark.parametrize(("ground", "model", "spec", "want_words"), WARNED)
async def test_what_may_still_come_right_is_a_warning(
    ground: Ground, model: Object, spec: Object, want_words: list[str]
) -> None:
    given = await ground.ask(validator(ground), service(model, **spec))
    assert given.allowed, given.message
    (warning,) = given.warnings
    assert all(word in warning for word in want_words), warning


FINE = [
    pytest.param(Ground(nodes={"n": [gpu()]}), {"id": "Qwen/Qwen3-8B", "precision": "int4"}, {}, id="int4, of which a copy is known"),
    pytest.param(Ground(nodes={"n": [gpu()]}), UNCOPIED, {}, id="fp8 that our engine makes"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL | {"precision": "int8"}, {"predictor": {"containers": [{"name": "main"}]}}, id="int8 in a container that says itself what it loads"),
    pytest.param(Ground(nodes={"n": [gpu()]}, profiles=[model_profile(precisions=["int8"])]), {"id": MODEL, "precision": "int8"}, {}, id="int8 that a ModelProfile offers"),
    pytest.param(Ground(nodes={"n": [gpu()]}), {"id": "openai/gpt-oss-20b", "precision": "mxfp4"}, {}, id="a published precision that no other model has"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL | {"precision": "fp32"}, {}, id="32 bit, to which the engine casts"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL, {}, id="it fits where the GPUs are"),
    pytest.param(Ground(nodes={"n": [MI210]}), SMALL, {}, id="an older GPU serves the precision"),
    pytest.param(Ground(nodes={"n": [MI210, gpu()]}), SMALL | {"precision": "fp8"}, {}, id="one of the GPUs serves the precision"),
    pytest.param(Ground(nodes={"n": [gpu()]}), LARGE, {}, id="it fits after a change of mode, policy or none"),
    pytest.param(Ground(policies=[GOLD], nodes={"n": [gpu()]}), LARGE, sharing(policyRef="gold", partition={"mode": "SPX/NPS1"}), id="a policy and a mode that are there"),
    pytest.param(Ground(nodes={"n": [gpu()]}), SMALL, sharing(partition={"count": 2}), id="two partitions of half the size"),
    pytest.param(Ground(policies=[GOLD], nodes={"n": [gpu()]}), SMALL, {"qos": {"class": "batch"}}, id="a class of the namespace's policy"),
    pytest.param(Ground(policies=[policy_object("v")], nodes={"n": [gpu(mode="DPX/NPS1")]}), SMALL, sharing(partition={"mode": "DPX/NPS1"}), id="the mode is not validated, but the GPU is in it"),
]  # fmt: skip


@pytest.mark.parametrize(("ground", "model", "spec"), FINE)
async def test_a_good_service_passes_without_a_word(ground: Ground, model: Object, spec: Object) -> None:
    given = await ground.ask(validator(ground), service(model, **spec))
    assert (given.allowed, given.warnings, given.message) == (True, (), "")


@pytest.mark.parametrize(
    ("product", "want"),
    [
        pytest.param("MI210", [True], id="no node to come could help"),
        pytest.param("MI999X", [], id="nothing is known against what no table knows"),
    ],
)
def test_a_precision_that_no_product_serves_is_refused(product: str, want: list[bool]) -> None:
    ground = Ground(nodes={"n": [MI210]})
    reported = gpu_node("n", MI210)
    reported["status"]["gpus"][0]["product"] = product
    ground.fed.put(ground.cluster.gpu_nodes, reported)
    asked = InferenceService.model_validate(service(SMALL | {"precision": "fp8"}))
    sizing = ground.models.size(SizingRequest(SMALL["id"], Precision.FP8))
    products = product_named("MI210"), product_named("MI100")
    facts = ServiceFacts(asked, sizing, {}, {}, managed_nodes(ground.cluster), products=products)
    assert [finding.refuses for finding in precision_served(facts)] == want


async def test_all_problems_are_named_at_once() -> None:
    ground = Ground(nodes={"n": [gpu()]})
    bad = service({"id": "Qwen/Qwen3-9B"}, qos={"class": "gold"}, **sharing(policyRef="x", partition={"count": 64}))
    given = await ground.ask(validator(ground), bad)
    assert [reason in given.message for reason in ("UnknownModel", "PolicyNotFound")] == [True, True]
    assert "count" in given.warnings[0]


async def test_names_of_others_policies_and_classes_are_not_told() -> None:
    ground = Ground(policies=[OTHERS], nodes={"n": [gpu()]})
    bad = service(SMALL, qos={"class": "gold"}, **sharing(policyRef="nosuch"))
    given = await ground.ask(validator(ground), bad)
    foreign = await ground.ask(validator(ground), service(SMALL, qos={"class": "x"}, **sharing(policyRef="others")))
    assert "others" not in given.message
    assert "secret" not in given.message + foreign.message
    assert "spec.qos.class" not in foreign.message, "of classes of a policy that cannot be had nothing is told"
    assert foreign.warnings == (), "that no node is left is no second problem"


async def test_who_sent_the_flat_version_is_told_of_its_fields() -> None:
    ground = Ground(nodes={"n": [gpu()]})
    bad = service({"id": "Qwen/Qwen3-4B"}, qos={"class": "gold"}, **sharing(partition={"minMemory": "200Gi"}))
    given = await ground.ask(validator(ground), bad, sent_as="v1alpha1")
    assert all(word in given.message for word in ("spec.qosClass: 'gold'", "qosLevel high is realtime")), given.message
    assert "spec.memoryGB: '200' is more than" in given.message


UPDATES = [
    pytest.param({"replicas": 2}, True, id="scaling brings nothing in"),
    pytest.param({"model": {"id": "Qwen/Qwen3-9B"}}, False, id="another wrong value does"),
]


@pytest.mark.parametrize(("change", "want_allowed"), UPDATES)
async def test_an_update_answers_for_what_it_changes(change: Object, want_allowed: bool) -> None:
    ground = Ground(nodes={"n": [gpu()]})
    old = service(SMALL, **sharing(policyRef="deleted-since"))
    given = await ground.ask(validator(ground), {**old, "spec": {**old["spec"], **change}}, old)
    assert given.allowed is want_allowed
    assert "deleted-since" in given.warnings[0]


async def test_status_metadata_and_deletion_are_not_judged() -> None:
    ground = Ground()
    bad = service({"id": "Qwen/Qwen3-9B"})
    touched = {**bad, "status": {"replicas": 1}, "metadata": {**bad["metadata"], "labels": {"a": "b"}}}
    going = {**service({"id": "Qwen/x"}), "metadata": bad["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    for obj, old, operation in ((touched, bad, "UPDATE"), (going, bad, "UPDATE"), (None, bad, "DELETE")):
        given = await ground.ask(validator(ground), obj, old, operation=operation)
        assert (given.allowed, given.warnings) == (True, ())


async def test_a_policy_applied_in_the_same_breath_is_waited_for() -> None:
    ground = Ground(nodes={"n": [gpu()]})
    wanted = service(SMALL, **sharing(policyRef="gold"))
    given = await ground.ask(validator(ground), wanted, meanwhile=lambda: ground.fed.put(ground.cluster.policies, GOLD))
    assert (given.allowed, given.warnings) == (True, ())


async def test_a_model_profile_applied_in_the_same_breath_is_seen() -> None:
    ground = Ground(nodes={"n": [gpu()]})
    comes = partial(ground.fed.put, ground.cluster.model_profiles, model_profile())
    given = await ground.ask(validator(ground), service({"id": MODEL}), meanwhile=comes)
    assert (given.allowed, given.warnings, given.message) == (True, (), "")


async def test_a_policy_that_the_watch_has_not_brought_for_long_is_read_before_anybody_is_refused() -> None:
    ground = Ground(nodes={"n": [gpu()]})
    began = ground.cluster.clock.monotonic()
    read_at: list[float] = []

    async def latest() -> None:
        read_at.append(ground.cluster.clock.monotonic() - began)
        ground.fed.put(ground.cluster.policies, GOLD)

    given = await ground.ask(validator(ground, latest), service(SMALL, **sharing(policyRef="gold")))
    assert (given.allowed, given.warnings) == (True, ())
    assert read_at == [pytest.approx(SETTLE_SECONDS, abs=LOOK_AGAIN_SECONDS)]


@pytest.mark.parametrize(
    ("change", "want_reads"),
    [
        pytest.param({}, 0, id="nothing is wrong"),
        pytest.param(sharing(policyRef="gold"), 1, id="still no such policy"),
        pytest.param({"model": LARGE}, 0, id="nodes are too many to be read for it"),
    ],
)
async def test_collections_are_read_anew_only_for_what_they_decide(change: Object, want_reads: int) -> None:
    ground = cpx_forever()
    reads: list[None] = []

    async def latest() -> None:
        reads.append(None)

    asked = service(SMALL)
    given = await ground.ask(validator(ground, latest), {**asked, "spec": {**asked["spec"], **change}})
    assert (given.allowed, len(reads)) == (not change, want_reads)


@pytest.mark.parametrize(
    ("model", "want_words"),
    [
        pytest.param(
            {"id": MODEL, "precision": "fp8"}, ["spec.model.precision", "fp8", "one of bf16"], id="a precision"
        ),
        pytest.param({"id": MODEL, "maxModelLen": 40961}, ["spec.model.maxModelLen", "at most 40960"], id="a length"),
        pytest.param({**SMALL, "profileRef": "no"}, ["spec.model.profileRef", "'no'", "create it"], id="its name"),
        pytest.param({"id": "acme/bad"}, ["spec.model.id", "ModelProfile bad", "totalParams"], id="contradictions"),
    ],
)
async def test_what_model_profiles_have_not_is_refused(model: Object, want_words: list[str]) -> None:
    bad = model_profile("bad", "acme/bad", architecture={"totalParams": 10**9})
    ground = Ground(nodes={"n": [gpu()]}, profiles=[model_profile(), bad])
    given = await ground.ask(validator(ground), service(model))
    assert not given.allowed
    assert all(word in given.message for word in want_words), given.message


async def test_a_named_profile_sizes_the_model() -> None:
    ground = Ground(nodes={"n": [gpu()]}, profiles=[model_profile("mine", overrides={"weightsBytes": 10**12})])
    given = await ground.ask(validator(ground), service({**SMALL, "profileRef": "mine"}))
    assert "needs" in given.message


async def test_with_caches_still_empty_nothing_is_refused() -> None:
    ground = Ground(synced=False)
    for bad in (service(LARGE, qos={"class": "gold"}, **sharing(policyRef="p")), service({"id": "Qwen/Qwen3-9B"})):
        given = await ground.ask(validator(ground), bad)
        assert (given.allowed, given.warnings) == (True, ())


async def test_before_model_profiles_were_read_no_model_is_called_unknown() -> None:
    ground = Ground(nodes={"n": [gpu()]}, profiles=None)
    given = await ground.ask(validator(ground), service({"id": MODEL}))
    assert (given.allowed, given.warnings) == (True, ())


async def test_a_namespace_not_known_yet_is_not_held_against_a_policy() -> None:
    ground = Ground(policies=[GOLD], nodes={"n": [gpu()]}, namespaces={})
    given = await ground.ask(validator(ground), service(SMALL, **sharing(policyRef="gold")))
    assert (given.allowed, given.warnings) == (True, ())

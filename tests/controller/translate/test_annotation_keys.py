import time

import pytest

from api.group import ASSIGNMENT_KEYS, GROUP, ONLY_IN_HUB, REQUEST_KEYS, SERVICE_LABEL
from controller.translate.annotation_keys import KNOWN_KEYS, misspelt

MEANT = [
    pytest.param("aim.amd.com/modelId", "model-id", id="camel case"),
    pytest.param("aim.amd.com/model_id", "model-id", id="an underscore"),
    pytest.param("aim.amd.com/MODEL-ID", "model-id", id="capitals"),
    pytest.param("aim.amd.com/maxModelLen", "max-model-len", id="three words"),
    pytest.param("aim.amd.com/max-len", "max-model-len", id="a word left out"),
    pytest.param("aim.amd.com/precison", "precision", id="a letter left out"),
    pytest.param("aim.amd.com/polciy", "policy", id="two letters swapped"),
    pytest.param("aim.amd.com/policyRef", "policy", id="the field's name of our own kind"),
    pytest.param("aim.amd.com/gpu-share", "gpu-sharing", id="another form of the word"),
    pytest.param("aim.amd.com/mode", "partition-mode", id="one word of two, though model-id shares more letters"),
    pytest.param(
        "aim.amd.com/partition", "partition-mode", id="the other word, and not the operator's assigned-partition"
    ),
    pytest.param("aim.amd.com/concurrency", "max-concurrency", id="without its max"),
    pytest.param("aim.amd.com/memory", "partition-min-memory", id="one word of three"),
    pytest.param("aim.amd.com/qos-level", "qos-class", id="the prototype's word"),
    pytest.param("AIM.amd.com/model-id", "model-id", id="the domain in capitals"),
    pytest.param("aim-amd.com/model-id", "model-id", id="a dash in the domain"),
    pytest.param("aim.amd.io/gpuSharing", "gpu-sharing", id="another top level domain, and camel case"),
    pytest.param("ai.amd.com/policy", "policy", id="a letter of the domain left out"),
]


@pytest.mark.parametrize(("key", "want"), MEANT)
def test_the_nearest_right_key_is_named(key: str, want: str) -> None:
    (problem,) = misspelt({key: "x"})
    assert (problem.field, problem.value) == (key, "x")
    assert problem.remedy == f"is read by nobody; did you mean {GROUP}/{want}?"


@pytest.mark.parametrize("name", ["storage", "context-length", "quantization", "tenant", "", "z" * 300])
def test_what_is_like_none_of_ours_is_told_all_keys(name: str) -> None:
    (problem,) = misspelt({f"{GROUP}/{name}": "24Gi"})
    assert all(key.removeprefix(f"{GROUP}/") in problem.remedy for key in REQUEST_KEYS)


@pytest.mark.parametrize(("key", "want"), [("assigned_node", "assigned-node"), ("engineArgs", "engine-args")])
def test_nobody_is_led_to_a_key_of_the_operator(key: str, want: str) -> None:
    (problem,) = misspelt({f"{GROUP}/{key}": "x"})
    assert problem.remedy == f"is read by nobody; leave it out: the operator alone writes {GROUP}/{want}"


OTHERS = [
    pytest.param("amd.com/gpu-sharing", id="AMD's own domain"),
    pytest.param("aim.eai.amd.com/model-id", id="another product's domain"),
    pytest.param("examples.aim.amd.com/expect", id="a domain below ours"),
    pytest.param("aim.amd.io/anything", id="a near domain with a name that is none of ours"),
    pytest.param("model-id", id="no domain"),
    pytest.param("serving.kserve.io/deploymentMode", id="KServe's"),
    pytest.param("kubectl.kubernetes.io/last-applied-configuration", id="kubectl's"),
]


@pytest.mark.parametrize("key", OTHERS)
def test_keys_of_others_are_none_of_our_business(key: str) -> None:
    assert misspelt({key: "x"}) == ()


def test_every_key_of_ours_is_known() -> None:
    assert {*REQUEST_KEYS, *ASSIGNMENT_KEYS, ONLY_IN_HUB, SERVICE_LABEL} <= KNOWN_KEYS
    assert misspelt(dict.fromkeys(KNOWN_KEYS, "x")) == ()


def test_all_of_an_object_are_named_in_order() -> None:
    found = misspelt({f"{GROUP}/b-mode": "1", "other/x": "2", f"{GROUP}/a-mode": "3", f"{GROUP}/precision": "fp8"})
    assert [problem.field for problem in found] == [f"{GROUP}/a-mode", f"{GROUP}/b-mode"]


def test_neither_many_wrong_keys_nor_a_long_one_hold_up_a_pod() -> None:
    began = time.process_time()
    assert len(misspelt({f"{GROUP}/model-idea-{number}": "" for number in range(1000)})) == 1000
    assert len(misspelt({f"{GROUP}/{'modelid' * 30_000}": ""})) == 1
    assert time.process_time() - began < 1.0

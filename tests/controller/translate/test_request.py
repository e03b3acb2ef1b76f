import pytest

from api.group import (
    GANG,
    GANG_SIZE,
    GPU_SHARING,
    ISOLATION,
    MAX_CONCURRENCY,
    MAX_MODEL_LEN,
    MODEL_ID,
    MODEL_PROFILE,
    PARTITION_COUNT,
    PARTITION_MIN_MEMORY,
    PARTITION_MODE,
    POLICY,
    PRECISION,
    SHARE_GROUP,
)
from controller.gpu.mode import Mode
from controller.sizing.precision import Precision
from controller.sizing.requirement import SizingRequest
from controller.translate.request import (
    VALUE_LIMIT,
    GangRequest,
    Partitions,
    PodRequest,
    Problem,
    gang_request,
    parse_request,
    partitions_said,
)

LEAST = {GPU_SHARING: "true", MODEL_ID: "Qwen/Qwen3-8B"}


def test_the_least_request() -> None:
    assert parse_request(LEAST) == PodRequest(SizingRequest("Qwen/Qwen3-8B"), frozenset(), None)


def test_every_wish() -> None:
    wishes = {
        PRECISION: "fp8",
        MAX_MODEL_LEN: "4096",
        MAX_CONCURRENCY: "4",
        PARTITION_MODE: "CPX/NPS4",
        ISOLATION: "hardware",
        POLICY: "gold",
        MODEL_PROFILE: "mine",
    }
    want = SizingRequest("Qwen/Qwen3-8B", Precision.FP8, 4096, 4)
    assert parse_request(LEAST | wishes) == PodRequest(want, frozenset({Mode.parse("CPX/NPS4")}), "gold", "mine")


BAD = [
    pytest.param(GPU_SHARING, "yes", 'write "true" or "false"', id="an opt-in that is neither true nor false"),
    pytest.param(GPU_SHARING, "True", 'write "true" or "false"', id="an opt-in in capitals"),
    pytest.param(MODEL_ID, "", "name a model", id="no model"),
    pytest.param(PRECISION, "fp12", "choose one of auto, ", id="an unknown precision"),
    pytest.param(PRECISION, "", "choose one of", id="an empty precision"),
    pytest.param(MAX_MODEL_LEN, "8k", "write e.g. 8192", id="a length with a suffix"),
    pytest.param(MAX_MODEL_LEN, "0", "write e.g. 8192", id="a length of zero"),
    pytest.param(MAX_MODEL_LEN, "-1", "write e.g. 8192", id="a negative length"),
    pytest.param(MAX_MODEL_LEN, "2147483648", "write e.g. 8192", id="a length beyond 32 bits"),
    pytest.param(MAX_MODEL_LEN, "9" * 5000, "write e.g. 8192", id="a length of five thousand digits"),
    pytest.param(MAX_CONCURRENCY, "1.5", "whole number", id="half a sequence"),
    pytest.param(MAX_CONCURRENCY, "٣", "whole number", id="a digit of another script"),
    pytest.param(MAX_CONCURRENCY, "", "whole number", id="an empty number"),
    pytest.param(PARTITION_MODE, "cpx_nps4", "such as CPX/NPS4", id="AMD's spelling of a mode"),
    pytest.param(PARTITION_MODE, "CPX/NPS3", "NPS1, NPS2, NPS4", id="a mode that does not exist"),
    pytest.param(PARTITION_COUNT, "0", "from 1 to 64", id="no partition at all"),
    pytest.param(PARTITION_COUNT, "two", "from 1 to 64", id="a number in words"),
    pytest.param(PARTITION_MIN_MEMORY, "64GB", "write e.g. 64Gi", id="memory in a unit that Kubernetes has not"),
    pytest.param(ISOLATION, "soft", "write hardware", id="an unknown isolation"),
    pytest.param(ISOLATION, "cooperative", f"name it in {SHARE_GROUP}", id="cooperative sharing without a group"),
    pytest.param(SHARE_GROUP, "chat", "cooperative, or leave", id="a share group without cooperative sharing"),
]


@pytest.mark.parametrize(("field", "value", "want_remedy"), BAD)
def test_each_bad_value_is_named_with_field_value_and_remedy(field: str, value: str, want_remedy: str) -> None:
    problems = parse_request(LEAST | {field: value})
    assert isinstance(problems, tuple), problems
    (problem,) = problems
    assert (problem.field, problem.value) == (field, value)
    assert want_remedy in problem.remedy
    shown = value if len(value) <= VALUE_LIMIT else value[:VALUE_LIMIT] + "..."
    assert str(problem) == f"{field}: {shown!r} {problem.remedy}"


@pytest.mark.parametrize("name", ["", "Chat", "a_b", "-a", "a-", "a" * 64])
def test_a_share_group_is_named_like_a_label(name: str) -> None:
    problems = parse_request(LEAST | {ISOLATION: "cooperative", SHARE_GROUP: name})
    assert isinstance(problems, tuple)
    assert [(problem.field, problem.value) for problem in problems] == [(SHARE_GROUP, name)]


def test_what_a_pod_does_not_say_of_its_partitions_is_one_of_any_size() -> None:
    assert partitions_said(LEAST) is None
    assert partitions_said(LEAST | {PARTITION_COUNT: "2"}) == Partitions(2)
    assert partitions_said(LEAST | {PARTITION_MIN_MEMORY: "64Gi"}) == Partitions(1, 64 << 30)


def test_a_member_names_its_group() -> None:
    asked = parse_request(LEAST | {ISOLATION: "cooperative", SHARE_GROUP: "chat"})
    assert isinstance(asked, PodRequest)
    assert asked.group == "chat"


def test_a_model_that_is_not_there_is_a_problem_too() -> None:
    assert parse_request({GPU_SHARING: "true"}) == (
        Problem(MODEL_ID, "", "is empty; name a model, e.g. meta-llama/Llama-3.1-8B-Instruct"),
    )


def test_all_problems_are_told_at_once() -> None:
    problems = parse_request({GPU_SHARING: "yes", PRECISION: "x", MAX_MODEL_LEN: "x", PARTITION_MODE: "x"})
    assert isinstance(problems, tuple)
    assert [problem.field for problem in problems] == [GPU_SHARING, MODEL_ID, PRECISION, MAX_MODEL_LEN, PARTITION_MODE]


def test_what_only_the_catalogue_knows_is_not_judged() -> None:
    assert isinstance(parse_request(LEAST | {MODEL_ID: "no/such-model"}), PodRequest)


@pytest.mark.parametrize(
    ("written", "want"),
    [
        pytest.param({GANG: "ranks"}, "aim.amd.com/gang-size: '' is missing", id="no size"),
        pytest.param({GANG_SIZE: "4"}, "aim.amd.com/gang: '' is missing", id="no name"),
        pytest.param({GANG: "Ranks", GANG_SIZE: "4"}, "write up to 63 of a-z, 0-9 and -", id="a name in capitals"),
        pytest.param({GANG: "", GANG_SIZE: "4"}, "write up to 63", id="an empty name"),
        pytest.param({GANG: "a" * 64, GANG_SIZE: "4"}, "write up to 63", id="a name that is too long"),
        pytest.param({GANG: "ranks", GANG_SIZE: "0"}, "'0' is no size of a gang: write a whole number", id="nobody"),
        pytest.param({GANG: "ranks", GANG_SIZE: "65"}, "from 1 to 64", id="too many"),
        pytest.param({GANG: "ranks", GANG_SIZE: "four"}, "from 1 to 64", id="no number"),
        pytest.param(
            {GANG: "ranks", GANG_SIZE: "4", ISOLATION: "cooperative", SHARE_GROUP: "x"},
            "'ranks' is of pods that have a partition each",
            id="of pods that share a partition",
        ),
    ],
)
def test_a_gang_has_a_name_and_a_size(written: dict[str, str], want: str) -> None:
    found = parse_request(LEAST | written)
    assert isinstance(found, tuple)
    assert want in "; ".join(map(str, found))
    assert gang_request(LEAST | written) is None


def test_the_gang_of_a_pod() -> None:
    assert gang_request(LEAST | {GANG: "ranks", GANG_SIZE: "4"}) == GangRequest("ranks", 4)
    assert gang_request(LEAST) is None

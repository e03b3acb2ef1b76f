"""``aim-gpu profiles`` over a list of three models, on the product with the fewest modes."""

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from controller.cli.profiles import profiles
from controller.profiles.lists import Listed, Wanted
from controller.sizing.precision import Precision
from tests.controller.profiles.test_aim_profile import OURS, errors

app = typer.Typer()
app.add_typer(profiles, name="profiles")

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
CONFIG = Path(__file__).parents[2] / "data" / "model_configs" / "qwen3.json"
SMALL_LISTS = {
    "rows": [
        Wanted(Listed("Llama-3.1-8B", LLAMA), Precision.INT4),
        Wanted(Listed("DeepSeek-V3", "deepseek-ai/DeepSeek-V3"), Precision.INT8),
        Wanted(Listed("30B-Vision", None, "unsloth has no model of that size"), Precision.FP16),
    ],
    "aim_catalogue": [Wanted(Listed("no/facts", "no/facts"), Precision.AUTO)],
}


@pytest.fixture(autouse=True)
def small_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.cli.profiles_made.wanted", SMALL_LISTS.__getitem__)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["profiles", *map(str, arguments)])


def generate(out: Path, *arguments: str) -> Result:
    return run("generate", "--out", out, "--gpu", "MI210", *arguments)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_generate_writes_the_profiles_and_an_index_that_lists_each(tmp_path: Path) -> None:
    result = generate(tmp_path / "out")
    assert (result.exit_code, result.stderr) == (0, "")
    files = tree(tmp_path / "out")
    index = json.loads(files.pop("index.json"))
    assert [row.get("reason", row["status"]) for row in (*index["rows"], *index["aim_catalogue"])] == [
        "emitted",
        "fits-nowhere",
        "no-such-model",
        "facts-unknown",
    ]
    assert (index["rows"][0]["weights"], index["rows"][0]["ready"]) == ("needs-copy", False)
    assert (
        set(files)
        == set(index["rows"][0]["files"])
        == {f"{LLAMA}/vllm-mi210-int4-tp1-{metric}-spx-nps1.yaml" for metric in ("latency", "throughput")}
    )


def test_every_row_that_is_refused_says_why(tmp_path: Path) -> None:
    generate(tmp_path / "out")
    index = json.loads((tmp_path / "out" / "index.json").read_bytes())
    refused = [row for row in (*index["rows"], *index["aim_catalogue"]) if row["status"] == "refused"]
    assert len(refused) == 3
    assert "unsloth has no model of that size" in {row["message"] for row in refused}
    assert all(row["message"] and "files" not in row for row in refused)


def test_every_file_is_valid(tmp_path: Path) -> None:
    generate(tmp_path / "out")
    found = sorted((tmp_path / "out").rglob("*.yaml"))
    assert len(found) == 2
    for file in found:
        assert errors(OURS, yaml.safe_load(file.read_text())) == []


def test_generating_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second", "first"):
        assert generate(tmp_path / name).exit_code == 0
    assert tree(tmp_path / "first") == tree(tmp_path / "second")


def test_the_counts_are_for_people_and_for_programs(tmp_path: Path) -> None:
    counts = json.loads(generate(tmp_path / "out", "-o", "json").stdout)
    assert counts["rows"] == {
        "total": 3,
        "emitted": 1,
        "ready": 0,
        "needs-copy": 1,
        "fits-nowhere": 1,
        "no-such-model": 1,
        "facts-unknown": 0,
    }
    assert "FACTS-UNKNOWN" in generate(tmp_path / "out").stdout


def test_a_directory_that_is_not_ours_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = generate(tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name an empty directory" in result.stderr
    assert tree(tmp_path) == {"mine.txt": b"mine"}


def test_a_disk_that_refuses_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = generate(tmp_path / "file" / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing was changed there" in result.stderr


def test_list_shows_the_least_that_holds_each(tmp_path: Path) -> None:
    result = run("list", "--gpu", "MI300X")
    assert result.exit_code == 0
    for text in (LLAMA, "int4", "MI300X CPX/NPS4", " x MI300X SPX/NPS1", "no-such-model", "facts-unknown"):
        assert text in result.stdout
    assert json.loads(run("list", "-o", "json").stdout)["counts"]["rows"]["emitted"] == 2


def test_show_prints_documents_that_can_be_read_back() -> None:
    result = run("show", LLAMA, "--gpu", "MI300X", "--mode", "CPX/NPS4", "--precision", "int4")
    assert (result.exit_code, result.stderr) == (0, "")
    documents = list(yaml.safe_load_all(result.stdout))
    assert [document["metadata"]["metric"] for document in documents] == ["latency", "throughput"]
    assert all(errors(OURS, document) == [] for document in documents)


def test_show_counts_with_the_length_and_concurrency_asked_for() -> None:
    asked = ["--max-model-len", "2048", "--max-concurrency", "300", "--metric", "latency", "--gpu", "MI210"]
    (document,) = yaml.safe_load_all(run("show", LLAMA, *asked).stdout)
    assert (document["engine_args"]["max-model-len"], document["engine_args"]["max-num-seqs"]) == (2048, 300)


def test_show_takes_a_model_of_your_own_by_its_config() -> None:
    asked = ["--config", str(CONFIG), "--gpu", "MI300X", "--metric", "latency", "--mode", "SPX/NPS1"]
    (document,) = yaml.safe_load_all(run("show", "mine/own-model", *asked).stdout)
    assert document["model_id"] == "mine/own-model"
    assert errors(OURS, document) == []


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(["show", "mine", "--config", str(CONFIG)], "is not of the form owner/name", id="no owner"),
        pytest.param(["show", "../../mine", "--config", str(CONFIG)], "is not of the form owner/name", id="a path"),
        pytest.param(["show", "mine/own", "--config", "/no/such.json"], "/no/such.json", id="no config"),
        pytest.param(["show", "meta-llama/Llama-3.1-8B-Instruc"], f"did you mean {LLAMA}", id="unknown model"),
        pytest.param(["show", LLAMA, "--mode", "cpx"], "mode 'cpx' is not a partition mode", id="no mode"),
        pytest.param(["show", LLAMA, "--gpu", "H100"], "GPU 'H100' is not a known product", id="unknown GPU"),
        pytest.param(
            ["list", "--gpu", "MI100"],
            "vLLM does not run on gfx908, which the MI100 is: use one of MI300X",
            id="no engine",
        ),
        pytest.param(["show", LLAMA, "--max-model-len", "0"], "max_model_len 0 is out of range", id="no length"),
        pytest.param(
            ["show", "openai/gpt-oss-20b", "--precision", "fp16"], "use auto or one of mxfp4", id="not offered"
        ),
    ],
)
def test_bad_input_ends_with_2_and_says_why(arguments: list[str], want: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert want in result.stderr


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param([LLAMA, "--gpu", "MI210", "--mode", "CPX/NPS4"], "use one of SPX/NPS1", id="a mode it has not"),
        pytest.param(
            ["deepseek-ai/DeepSeek-V3", "--gpu", "MI210", "--precision", "int8"],
            "fits nowhere on MI210",
            id="too large",
        ),
        pytest.param(
            ["deepseek-ai/DeepSeek-V3", "--gpu", "MI300X", "--precision", "bf16"],
            "it takes 16 partitions of MI300X DPX/NPS2, and AIM's profiles are of 8 at most",
            id="too many partitions",
        ),
        pytest.param(
            ["Qwen/Qwen3-8B", "--gpu", "MI210", "--precision", "fp8"], "fp8 needs gfx942 or newer", id="no fp8 there"
        ),
    ],
)
def test_nothing_to_show_ends_with_1_and_the_remedy(arguments: list[str], want: str) -> None:
    result = run("show", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert want in result.stderr

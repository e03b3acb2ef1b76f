import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.cli.size import run
from tests.builders.checkpoint import SMALL_CONFIG, small_model, write_safetensors
from tests.builders.model_config import CONFIGS


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Size = Callable[..., Said]


@pytest.fixture
def size(capsys: pytest.CaptureFixture[str]) -> Size:
    """Runs `aim-gpu size` with arguments."""

    def run_with(*arguments: str) -> Said:
        try:
            code = run(arguments)
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return Said(code, *capsys.readouterr())

    return run_with


def test_json_has_every_field_and_no_other(size: Size) -> None:
    said = size("Qwen/Qwen3-4B", "--max-model-len", "4096", "--max-concurrency", "4", "--gpu", "MI300X", "-o", "json")
    assert (said.code, said.err) == (0, "")
    assert list(said.answer) == [
        *("model", "same_as", "estimated", "precision", "max_model_len", "max_concurrency", "tensor_parallel"),
        *("parameters", "active_parameters", "weights_bytes", "kv_cache_bytes", "activation_bytes", "non_torch_bytes"),
        *(
            "graph_bytes",
            "loading_bytes",
            "margin_bytes",
            "overhead_bytes",
            "total_bytes",
            "uncertainty",
            "kv_bytes_per_token",
            "fits",
        ),
        *("partitions", "sources"),
    ]
    headroom = 24574 * 2**20 - said.answer["total_bytes"]
    assert said.answer["fits"][0] == {
        "product": "MI300X",
        "mode": "CPX/NPS4",
        "count": 1,
        "gpus": 1,
        "headroom_bytes": headroom,
        "verdict": {"outcome": "safe", "reason": "", "text": "the engine starts"},
    }


def test_each_fit_says_what_to_expect_of_a_start(size: Size) -> None:
    asked = (
        "meta-llama/Llama-3.1-8B-Instruct",
        "--max-model-len",
        "43000",
        "--max-concurrency",
        "1",
        "--gpu",
        "MI300X",
    )
    tight, *_, whole = size(*asked, "-o", "json").answer["fits"]
    assert (tight["verdict"]["outcome"], tight["verdict"]["reason"]) == ("at risk", "WithinStartSpread")
    assert whole["verdict"]["outcome"] == "safe"
    said = size(*asked)
    assert "START at risk: the KV cache holds the longest request by less than" in said.err
    assert "│ at risk │" in said.out


@pytest.mark.parametrize(
    ("length", "outcome"), [("8192", "safe"), ("43000", "at risk"), ("60000", None)], ids=["safe", "tight", "too long"]
)
def test_so_does_a_partition_that_is_asked_about(size: Size, length: str, outcome: str | None) -> None:
    asked = ("meta-llama/Llama-3.1-8B-Instruct", "--max-model-len", length, "--max-concurrency", "1", "--gpu", "MI300X")
    (held,) = size(*asked, "--partition", "CPX/NPS4", "-o", "json").answer["partitions"]
    assert held["fits"] is (outcome is not None)
    assert (held["verdict"] or {}).get("outcome") == outcome


def test_the_total_is_the_sum_of_the_parts_and_lies_within_the_uncertainty(size: Size) -> None:
    answer = size("google/gemma-3-12b-it", "-o", "json").answer
    parts = ("weights_bytes", "kv_cache_bytes", "activation_bytes", "non_torch_bytes", "graph_bytes", "margin_bytes")
    assert answer["total_bytes"] == sum(answer[part] for part in parts)
    assert answer["uncertainty"]["low_bytes"] <= answer["total_bytes"] <= answer["uncertainty"]["high_bytes"]


def test_weights_that_the_engine_quantizes_are_said_and_their_loading_is_a_part(size: Size) -> None:
    few = ("--precision", "fp8", "--max-concurrency", "1")
    said = size("deepseek-ai/DeepSeek-V2", *few, "-o", "json")
    assert "no copy in fp8 is known: the engine quantizes 16-bit weights as it loads them" in said.err
    assert said.answer["loading_bytes"] > 0
    assert "loading" in size("deepseek-ai/DeepSeek-V2", *few).out
    for copied in (size("Qwen/Qwen3-8B", *few, "-o", "json"), size("Qwen/Qwen3-8B", "-o", "json")):
        assert (copied.err, copied.answer["loading_bytes"]) == ("", 0)


def test_without_a_gpu_all_products_of_the_engine_answer_the_smallest_partition_first(size: Size) -> None:
    fits = size("Qwen/Qwen3-4B", "-o", "json").answer["fits"]
    products = {fit["product"] for fit in fits}
    assert products == {"MI300X", "MI325X", "MI350X", "MI355X", "MI300A", "MI308X", "MI250X", "MI210"}
    assert [fit["headroom_bytes"] for fit in fits] == sorted(fit["headroom_bytes"] for fit in fits)


def test_a_model_that_no_partition_holds_is_shared_by_several(size: Size) -> None:
    said = size("deepseek-ai/DeepSeek-V3", "--gpu", "MI300X", "-o", "json")
    fit = said.answer["fits"][0]
    assert (fit["mode"], fit["count"], fit["gpus"]) == ("SPX/NPS1", 4, 4)
    assert "no single partition holds it" in said.err
    assert "--tensor-parallel 4" in said.err


def test_a_model_that_no_eight_gpus_hold_says_so(size: Size) -> None:
    said = size("deepseek-ai/DeepSeek-V3", "--precision", "int8", "--gpu", "MI210", "-o", "json")
    assert (said.code, said.answer["fits"]) == (0, [])
    assert "a whole MI210, has 65520 MiB" in said.err


@pytest.mark.parametrize("partition", [[], ["--partition", "SPX/NPS1"]], ids=["any", "one partition"])
def test_where_the_engine_does_not_run_nothing_fits_and_it_is_said_why(size: Size, partition: list[str]) -> None:
    said = size("Qwen/Qwen3-8B", "--precision", "fp8", "--gpu", "MI210", *partition, "-o", "json")
    assert (said.code, said.answer["fits"], said.answer["partitions"]) == (0, [], [])
    assert said.err == "fp8 needs gfx942 or newer, and the MI210 is gfx90a: choose another product or precision\n"


def test_more_partitions_than_a_profile_can_say_are_said_to_be(size: Size) -> None:
    many = size("deepseek-ai/DeepSeek-V3", "--precision", "bf16", "--gpu", "MI300X", "-o", "json")
    assert {fit["count"] for fit in many.answer["fits"]} == {16}
    assert "AIM's profiles are of 8 partitions at most" in many.err
    assert "AIM's profiles" not in size("Qwen/Qwen3-4B", "--gpu", "MI300X").err


def test_tensor_parallel_gives_the_parts_of_one_rank(size: Size) -> None:
    whole = size("meta-llama/Llama-3.3-70B-Instruct", "-o", "json").answer
    rank = size("meta-llama/Llama-3.3-70B-Instruct", "--tensor-parallel", "8", "-o", "json").answer
    assert rank["kv_bytes_per_token"] == whole["kv_bytes_per_token"] // 8
    assert {fit["count"] for fit in rank["fits"]} == {8}


def test_an_fp8_cache_takes_half(size: Size) -> None:
    plain = size("Qwen/Qwen3-8B", "-o", "json").answer
    small = size("Qwen/Qwen3-8B", "--kv-cache-dtype", "fp8", "-o", "json").answer
    assert small["kv_cache_bytes"] * 2 == plain["kv_cache_bytes"]


def test_a_partition_is_told_what_it_holds_at_most(size: Size) -> None:
    model = "meta-llama/Llama-3.1-8B-Instruct"
    said = size(model, "--gpu", "MI300X", "--partition", "CPX/NPS4", "-o", "json")
    (held,) = said.answer["partitions"]
    assert (held["bytes"], held["fits"], said.answer["fits"]) == (24574 * 2**20, False, [])
    at_most = ("--max-concurrency", str(held["largest_concurrency"]), "--gpu", "MI300X")
    again = size(model, *at_most, "--partition", "CPX/NPS4", "-o", "json").answer["partitions"]
    assert again[0]["fits"]


def test_a_partition_without_a_product_is_that_of_each_which_has_it(size: Size) -> None:
    said = size("Qwen/Qwen3-4B", "--partition", "TPX/NPS1")
    assert "MI300A" in said.out
    assert "MI300X" not in said.out
    assert "requests" in said.out.casefold()


def test_the_table_names_parts_and_modes(size: Size) -> None:
    said = size("Qwen/Qwen3-4B", "--precision", "int8", "--gpu", "MI300X")
    for text in ("int8", "weights", "KV cache", "activations", "seen to need", "total", "CPX/NPS4", "VALIDATED"):
        assert text in said.out


def test_a_fine_tune_has_its_bases_shape_when_told_so(size: Size) -> None:
    base = size("Qwen/Qwen3-4B", "-o", "json").answer
    said = size("me/my-qwen", "--same-as", "Qwen/Qwen3-4B", "-o", "json")
    assert (said.answer["model"], said.answer["same_as"]) == ("me/my-qwen", "Qwen/Qwen3-4B")
    assert said.answer["total_bytes"] == base["total_bytes"]
    assert "with the shape of Qwen/Qwen3-4B" in said.err


@pytest.mark.parametrize(
    ("name", "model_id"),
    [("llama", "meta-llama/Llama-3.1-8B-Instruct"), ("gemma3", "google/gemma-3-4b-it")],
)
def test_a_configuration_needs_what_its_catalogued_model_needs(size: Size, name: str, model_id: str) -> None:
    told = size(model_id, "--config", str(CONFIGS / f"{name}.json"), "-o", "json").answer
    known = size(model_id, "-o", "json").answer
    assert {key: told[key] for key in told if key != "sources"} == {
        key: known[key] for key in known if key != "sources"
    }


def test_what_a_configuration_leaves_to_its_class_is_said_beside_the_answer(size: Size) -> None:
    said = size("--config", str(CONFIGS / "gemma3.json"))
    assert "gemma3.json tells nothing of what its configuration class has a default for: num_attention_he" in said.err
    assert "vocab_size 262208" in said.err


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A directory with a checkpoint of one file."""
    (tmp_path / "config.json").write_text(json.dumps(SMALL_CONFIG))
    write_safetensors(tmp_path / "model.safetensors", small_model())
    return tmp_path


def test_a_directory_is_named_and_exact(size: Size, checkpoint: Path) -> None:
    said = size("--directory", str(checkpoint), "-o", "json")
    assert (said.code, said.err) == (0, "")
    assert (said.answer["model"], said.answer["estimated"]) == (str(checkpoint), False)


@pytest.mark.parametrize("config", [None, {**SMALL_CONFIG, "model_type": "never-heard-of"}], ids=["none", "unknown"])
def test_an_architecture_that_is_not_known_is_estimated_and_said_so(
    size: Size, checkpoint: Path, config: dict[str, Any] | None
) -> None:
    (checkpoint / "config.json").unlink()
    if config:
        (checkpoint / "config.json").write_text(json.dumps(config))
    said = size("--directory", str(checkpoint), "-o", "json")
    assert (said.code, said.answer["estimated"]) == (0, True)
    assert "an estimate: the architecture is not known" in said.err


REFUSED = {
    "an unknown model": (["Qwen/Qwen3-4b"], "did you mean Qwen/Qwen3-4B"),
    "a model near no other": (["no/such"], "use an id of the catalogue"),
    "an id that goes on and on": (["a/" + "x" * 10**5], f"model_id 'a/{'x' * 95}...' is not in the catalogue"),
    "a model that would need its config": (["no/such"], "--config FILE"),
    "an id known by name only": (["deepseek-ai/DeepSeek-V4-Pro"], "--config FILE"),
    "a base that is not known": (["me/x", "--same-as", "no/such"], "'no/such' is not in the catalogue"),
    "a base of a catalogued model": (
        ["Qwen/Qwen3-4B", "--same-as", "Qwen/Qwen3-8B"],
        "is not needed: Qwen/Qwen3-4B is catalogued",
    ),
    "no model": ([], "give a model's id, --config FILE or --directory DIR"),
    "two sources": (["--config", "a", "--directory", "b"], "not allowed with"),
    "a precision it has not got": (["openai/gpt-oss-20b", "--precision", "fp16"], "use auto or one of mxfp4"),
    "no precision": (["Qwen/Qwen3-4B", "--precision", "fp3"], "invalid choice: 'fp3'"),
    "no length": (["Qwen/Qwen3-4B", "--max-model-len", "0"], "max_model_len 0 is out of range"),
    "too long": (["Qwen/Qwen3-4B", "--max-model-len", "40961"], "use at most 40960"),
    "longer than can be": (["Qwen/Qwen3-4B", "--max-model-len", "9" * 30], "is out of range"),
    "a length no number": (["Qwen/Qwen3-4B", "--max-model-len", "long"], "invalid int value: 'long'"),
    "a length of digits without end": (["Qwen/Qwen3-4B", "--max-model-len", "9" * 5000], "invalid int value"),
    "no concurrency": (["Qwen/Qwen3-4B", "--max-concurrency", "-3"], "max_concurrency -3"),
    "ranks that do not divide": (["Qwen/Qwen3-4B", "--tensor-parallel", "3"], "use 1, 2, 4, 8, 16 or 32"),
    "no ranks": (["Qwen/Qwen3-4B", "--tensor-parallel", "0"], "tensor_parallel 0 is out of range"),
    "an unknown GPU": (["Qwen/Qwen3-4B", "--gpu", "H100"], "GPU 'H100' is not a known product"),
    "no mode": (["Qwen/Qwen3-4B", "--partition", "CPX"], "CPX"),
    "a mode of no product": (["Qwen/Qwen3-4B", "--partition", "TPX/NPS2"], "TPX/NPS2"),
    "a mode of another product": (["Qwen/Qwen3-4B", "--gpu", "MI210", "--partition", "CPX/NPS4"], "does not exist on"),
    "no file": (["--config", "/nowhere/config.json"], "/nowhere/config.json cannot be read"),
    "a directory for a file": (["--config", "/"], "/ is a directory: give a directory as --directory"),
    "a device for a file": (["--config", "/dev/zero"], "/dev/zero is no regular file"),
    "a file for a directory": (["--directory", "/dev/zero"], "/dev/zero is no directory"),
    "an unknown option": (["Qwen/Qwen3-4B", "--fast"], "unrecognized arguments: --fast"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_ends_with_2_and_says_why_on_stderr(size: Size, arguments: Sequence[str], message: str) -> None:
    said = size(*arguments, "-o", "json")
    assert (said.code, said.out) == (2, "")
    assert message in said.err


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    program = "import sys; from controller.entrypoints.main import main; sys.argv = ['aim-gpu', 'size', 'Qwen/Qwen3-4B']; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", program], check=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")

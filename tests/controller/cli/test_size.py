import json

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.size import size

app = typer.Typer()
app.command()(size)


def test_json_has_every_field_and_no_other() -> None:
    arguments = ["Qwen/Qwen3-4B", "--max-model-len", "4096", "--max-concurrency", "4", "--gpu", "MI300X", "-o", "json"]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    assert list(answer) == [
        "weights_bytes",
        "kv_cache_bytes",
        "overhead_bytes",
        "total_bytes",
        "kv_bytes_per_token",
        "fits",
    ]
    assert answer["kv_cache_bytes"] == 4 * 4096 * answer["kv_bytes_per_token"]
    headroom = 24574 * 2**20 - answer["total_bytes"]
    assert answer["fits"][0] == {"product": "MI300X", "mode": "CPX/NPS4", "count": 1, "headroom_bytes": headroom}


def test_without_a_gpu_all_products_answer() -> None:
    result = CliRunner().invoke(app, ["Qwen/Qwen3-4B", "-o", "json"])
    products = {fit["product"] for fit in json.loads(result.stdout)["fits"]}
    assert products == {"MI300X", "MI325X", "MI350X", "MI355X", "MI300A", "MI308X", "MI250X", "MI210", "MI100"}


def test_a_model_larger_than_any_gpu_fits_nowhere_and_says_so() -> None:
    result = CliRunner().invoke(app, ["deepseek-ai/DeepSeek-V3", "-o", "json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["fits"] == []
    assert "no single partition of MI300X" in result.stderr
    assert "whole MI350X" in result.stderr


def test_the_table_names_parts_and_modes() -> None:
    result = CliRunner().invoke(app, ["Qwen/Qwen3-4B", "--precision", "int8", "--gpu", "MI300X"])
    assert result.exit_code == 0
    for text in ("int8", "weights", "KV cache", "overhead", "total", "CPX/NPS4"):
        assert text in result.stdout


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(["Qwen/Qwen3-4b"], "did you mean Qwen/Qwen3-4B", id="unknown model"),
        pytest.param(["openai/gpt-oss-20b", "--precision", "fp16"], "use auto or one of mxfp4", id="not offered"),
        pytest.param(["Qwen/Qwen3-4B", "--precision", "fp3"], "fp3", id="no precision"),
        pytest.param(["Qwen/Qwen3-4B", "--max-model-len", "0"], "max_model_len 0 is out of range", id="no length"),
        pytest.param(["Qwen/Qwen3-4B", "--max-model-len", "40961"], "use at most 40960", id="too long"),
        pytest.param(["Qwen/Qwen3-4B", "--max-concurrency", "-3"], "max_concurrency -3", id="no concurrency"),
        pytest.param(["Qwen/Qwen3-4B", "--gpu", "H100"], "GPU 'H100' is not a known product", id="unknown GPU"),
    ],
)
def test_bad_input_ends_with_2_and_says_why_on_stderr(arguments: list[str], want: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "-o", "json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert want in result.stderr

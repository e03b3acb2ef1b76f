import json
import os
from pathlib import Path

import pytest

from controller.cli.model_files import CONFIG, INDEX, QUANTIZATION, SINGLE, facts_of_config_file, facts_of_directory
from controller.sizing.config_fields import MAX_BYTES
from controller.sizing.facts import Quantization
from controller.sizing.model_file_errors import ModelFileError
from controller.sizing.precision import Precision
from controller.sizing.safetensors import MAX_INDEX_BYTES
from controller.sizing.weights import stored_bytes
from tests.builders.checkpoint import SMALL_CONFIG, nvfp4_model, small_model, write_safetensors


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A checkpoint in two files with an index."""
    (tmp_path / CONFIG).write_text(json.dumps(SMALL_CONFIG))
    tensors = small_model()
    halves = [dict(list(tensors.items())[:9]), dict(list(tensors.items())[9:])]
    files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for file, half in zip(files, halves, strict=True):
        write_safetensors(tmp_path / file, half)
    placed = {name: file for file, half in zip(files, halves, strict=True) for name in half}
    (tmp_path / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return tmp_path


def test_the_files_an_index_names_are_read_together(sharded: Path) -> None:
    facts = facts_of_directory(sharded, "x")
    assert facts.checkpoint.bytes == 2 * facts.total_params


def test_other_files_than_the_index_names_do_not_count(sharded: Path) -> None:
    write_safetensors(sharded / "consolidated.safetensors", small_model())
    facts = facts_of_directory(sharded, "x")
    assert facts.checkpoint.bytes == 2 * facts.total_params


def test_without_an_index_every_file_counts(sharded: Path) -> None:
    (sharded / INDEX).unlink()
    assert facts_of_directory(sharded, "x").checkpoint.bytes == 2 * facts_of_directory(sharded, "x").total_params


def test_an_index_that_names_missing_files_is_refused(sharded: Path) -> None:
    (sharded / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"names files that are not there: model-00002-of-00002\.safetensors"):
        facts_of_directory(sharded, "x")


def test_an_index_that_names_more_tensors_than_there_are_is_refused(sharded: Path) -> None:
    index = json.loads((sharded / INDEX).read_text())
    index["weight_map"]["model.more.weight"] = "model-00001-of-00002.safetensors"
    (sharded / INDEX).write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match="names 22 tensors, its files hold 21"):
        facts_of_directory(sharded, "x")


def test_a_file_that_is_cut_off_is_refused(sharded: Path) -> None:
    file = sharded / "model-00001-of-00002.safetensors"
    os.truncate(file, file.stat().st_size - 100)
    with pytest.raises(ModelFileError, match=r"model-00001-of-00002\.safetensors is cut off"):
        facts_of_directory(sharded, "x")


@pytest.mark.parametrize("size", [0, 5, 8, 50])
def test_a_file_that_ends_within_its_header_is_refused(sharded: Path, size: int) -> None:
    os.truncate(sharded / "model-00001-of-00002.safetensors", size)
    with pytest.raises(ModelFileError, match=r"model-00001-of-00002\.safetensors"):
        facts_of_directory(sharded, "x")


def test_a_directory_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps(SMALL_CONFIG))
    with pytest.raises(ModelFileError, match=r"holds no safetensors file: .* \(--config\)"):
        facts_of_directory(tmp_path, "x")


def test_the_quantization_that_model_opt_writes_beside_is_read(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps(SMALL_CONFIG))
    (tmp_path / QUANTIZATION).write_text(json.dumps({"quantization": {"quant_algo": "NVFP4"}}))
    write_safetensors(tmp_path / SINGLE, nvfp4_model())
    facts = facts_of_directory(tmp_path, "x")
    assert facts.checkpoint.quantization == Quantization(method="nvfp4", group=16)
    # what it takes beside four bits and a scale: two numbers of four bytes for each of 14 matrices
    assert facts.checkpoint.bytes == stored_bytes(facts, Precision.NVFP4)
    assert facts.parameters.other == 14 * 2 * 4 // 2


def test_a_file_beside_a_configuration_of_another_name_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / QUANTIZATION).write_text("no JSON")
    (tmp_path / "llama.json").write_text(json.dumps(SMALL_CONFIG))
    assert facts_of_config_file(tmp_path / "llama.json", "x").checkpoint.quantization is None


def test_a_configuration_that_contradicts_the_tensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps(SMALL_CONFIG | {"num_hidden_layers": 4}))
    write_safetensors(tmp_path / SINGLE, small_model())
    with pytest.raises(ModelFileError, match="num_hidden_layers 4 contradicts the tensors, which are of 2 layers"):
        facts_of_directory(tmp_path, "x")


def test_a_configuration_of_fifty_megabytes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / CONFIG).touch()
    os.truncate(tmp_path / CONFIG, 50 * 2**20)
    with pytest.raises(ModelFileError, match=f"has 52428800 bytes, more than the {MAX_BYTES} that are read"):
        facts_of_config_file(tmp_path / CONFIG, "x")


def test_an_index_beyond_any_model_is_not_read(sharded: Path) -> None:
    os.truncate(sharded / INDEX, MAX_INDEX_BYTES + 1)
    with pytest.raises(ModelFileError, match=f"more than the {MAX_INDEX_BYTES} that are read"):
        facts_of_directory(sharded, "x")


def test_a_pipe_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / CONFIG)
    with pytest.raises(ModelFileError, match="is no regular file"):
        facts_of_config_file(tmp_path / CONFIG, "x")


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CONFIG).write_text("{}")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ModelFileError, match=r"config\.json cannot be read \(Permission denied\)"):
        facts_of_config_file(tmp_path / CONFIG, "x")

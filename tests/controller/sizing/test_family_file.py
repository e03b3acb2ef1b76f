import json
from pathlib import Path

import pytest

import controller.sizing.family_file as family_file
from controller.sizing.facts import Checkpoint, FullAttention, LayerGroup, Shape, Source
from controller.sizing.family_file import (
    EnteredFacts,
    FamilyFile,
    FamilyFileError,
    ModelEntry,
    decode,
    encode,
    json_schema,
    main,
)

SCHEMA = Path(family_file.__file__).parent / "data" / "family.schema.json"
SHAPE = Shape("llama", 8, 16, 2, 32, True, 64, (LayerGroup(2, FullAttention(1, 4)),))
ENTRY = ModelEntry("a/b", (Source("shape", "a test", "known"),), EnteredFacts(SHAPE, Checkpoint("bfloat16")))
FAMILY = FamilyFile("test", (ENTRY,))
TEXT = encode(FAMILY).decode()


def test_a_family_is_read_as_it_was_written() -> None:
    assert decode(TEXT.encode(), "test.json") == FAMILY


def test_what_is_the_default_is_not_written() -> None:
    assert "experts" not in TEXT
    assert "value_dim" not in TEXT


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(TEXT.replace('"hidden_size"', '"hidden"'), "hidden", id="a field that the format does not know"),
        pytest.param(TEXT.replace('"hidden_size": 8', '"hidden_size": 0'), r"hidden_size|>= 1", id="an absurd width"),
        pytest.param(TEXT.replace('"full"', '"fuller"'), "fuller", id="a kind of attention that there is not"),
        pytest.param(TEXT.replace('"llama"', "7"), "architecture", id="a number for a name"),
        pytest.param(TEXT[:100], "test.json", id="half a file"),
        pytest.param(TEXT.replace('"id"', '"same_as": "a/c", "id"'), "either facts or same_as", id="both"),
        pytest.param('{"family": "x", "models": [{"id": "a/b", "sources": []}]}', "either facts", id="neither"),
        pytest.param(
            TEXT.replace('"facts"', '"checkpoint": {"dtype": "float16"}, "facts"'), "belongs into facts", id="two files"
        ),
    ],
)
def test_what_the_format_does_not_allow_is_refused_with_the_files_name(text: str, want: str) -> None:
    with pytest.raises(FamilyFileError, match=want) as refusal:
        decode(text.encode(), "test.json")
    assert str(refusal.value).startswith("test.json: ")


def test_facts_without_a_source_are_refused() -> None:
    text = encode(FamilyFile("test", (ModelEntry("a/b", (), ENTRY.facts),)))
    with pytest.raises(FamilyFileError, match="a/b: sources is empty"):
        decode(text, "test.json")


def test_the_committed_schema_is_that_of_the_format() -> None:
    wanted = "run python -m controller.sizing.family_file --out controller/sizing/data/family.schema.json"
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), wanted


def test_the_schema_is_written_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["family_file", "--out", str(tmp_path / "schema.json")])
    main()
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == SCHEMA.read_text(encoding="utf-8")

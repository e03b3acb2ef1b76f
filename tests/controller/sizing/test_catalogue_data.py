"""The catalogue's data: what it holds may not fall, and every shape must give the count of elements that was published."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from controller.sizing.catalog import Catalog
from controller.sizing.family_file import EnteredFacts, FamilyFile, ModelEntry, decode, encode
from controller.sizing.parameters import count_parameters

DATA = files("controller.sizing").joinpath("data")
PUBLISHED = Path(__file__).parents[2] / "data" / "checkpoint-sizes" / "published_sizes.json"

OWN_FACTS, SAME_AS, UNKNOWN = 281, 113, 2
"""Ids with facts of their own, with those of a sibling, and without: the first two may not fall, the last not rise."""

DIFFERENCES = {
    "tiiuae/falcon-40b": (983_040, "the 40B has a second norm in each of its 60 layers"),
    "zai-org/GLM-4.5-Air": (-11_776, "no norms on queries and keys, unlike its family"),
}
"""Elements by which the published count differs from what the shape gives, and why. All other ids: none."""

SHAPE_FROM_GENERAL_KNOWLEDGE = {"CohereLabs/c4ai-command-a-03-2025"}
"""Ids whose widths no file showed; the published count agrees to the last element. The set may not grow."""


def families() -> Iterator[tuple[str, FamilyFile]]:
    for file in sorted(DATA.joinpath("families").iterdir(), key=lambda file: file.name):
        yield file.name, decode(file.read_bytes(), file.name)


ENTRIES = {entry.id: entry for _, family in families() for entry in family.models}
OWN = {name: entry.facts for name, entry in ENTRIES.items() if isinstance(entry.facts, EnteredFacts)}


def listed(name: str) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(DATA.joinpath("lists", name).read_bytes())["models"]
    return models


def published(kind: str) -> list[Any]:
    sizes = json.loads(PUBLISHED.read_bytes())[kind]["models"]
    return [pytest.param(*row.values(), id=row["id"]) for row in sizes]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.bundled()


def test_no_id_is_lost() -> None:
    siblings = sum(entry.same_as is not None for entry in ENTRIES.values())
    assert len(OWN) >= OWN_FACTS
    assert siblings >= SAME_AS
    assert len(ENTRIES) - len(OWN) - siblings <= UNKNOWN


@pytest.mark.parametrize("name", OWN)
def test_the_shape_gives_the_published_count_of_elements(name: str) -> None:
    total = OWN[name].total_params
    counted = count_parameters(OWN[name].shape).total
    difference, _ = DIFFERENCES.get(name, (0, ""))
    assert total is None or total - counted == difference


def test_a_difference_is_listed_only_while_there_is_one() -> None:
    assert all(OWN[name].total_params for name in DIFFERENCES)
    assert [name for name, facts in OWN.items() if facts.total_params is None] == [
        "mistralai/Mistral-Large-3-675B-Instruct-2512"
    ]


@pytest.mark.parametrize(("name", "want"), published("tensors"))
def test_the_bytes_are_those_of_the_index_file(name: str, want: int, catalog: Catalog) -> None:
    assert catalog.get(name).checkpoint.bytes == want


@pytest.mark.parametrize(("name", "gib"), published("files"))
def test_the_bytes_are_those_of_the_published_files(name: str, gib: float, catalog: Catalog) -> None:
    # published to two decimals and with the headers of the files, which is 0.05 % where experts are small
    assert catalog.get(name).checkpoint.bytes == pytest.approx(gib * 2**30, rel=1.5e-3)


def test_16_bit_files_hold_two_bytes_an_element() -> None:
    twice = {"Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "google/gemma-4-26B-A4B"}  # a tied head, stored once more
    rotary = {f"meta-llama/Llama-2-{size}-chat-hf" for size in ("7b", "13b", "70b")}  # tables of rotary positions
    for name, facts in OWN.items():
        if facts.checkpoint.quantization is None and name not in twice | rotary:
            assert facts.checkpoint.bytes == 2 * (facts.total_params or 0), name


def test_quantized_files_are_smaller_than_16_bit_ones(catalog: Catalog) -> None:
    quantized = [catalog.get(name) for name in catalog.known_ids() if catalog.get(name).checkpoint.quantization]
    assert len(quantized) > 100
    for facts in quantized:
        assert facts.checkpoint.bytes is None or facts.checkpoint.bytes < 1.8 * facts.total_params, facts.model_id


def test_every_fact_has_its_source() -> None:
    without = [
        name for name, entry in ENTRIES.items() if not needed(entry) <= {source.says for source in entry.sources}
    ]
    assert without == []
    assert all(source.where for entry in ENTRIES.values() for source in entry.sources)


def needed(entry: ModelEntry) -> set[str]:
    if isinstance(entry.facts, EnteredFacts):
        return {"shape", "checkpoint"}
    if entry.same_as is None:
        return set()
    return {"shape", "checkpoint"} if entry.checkpoint else {"shape"}


def test_no_shape_comes_from_general_knowledge_alone_but_those_named() -> None:
    known = {name for name in OWN if any(s.says == "shape" and s.how == "known" for s in ENTRIES[name].sources)}
    assert known <= SHAPE_FROM_GENERAL_KNOWLEDGE


def test_the_files_are_as_the_format_writes_them_and_sorted() -> None:
    for name, family in families():
        assert DATA.joinpath("families", name).read_bytes() == encode(family), name
        assert name == f"{family.family}.json"
        ids = [entry.id for entry in family.models]
        assert ids == sorted(ids, key=str.casefold), name


def test_each_name_of_the_earlier_prototype_means_an_id_with_facts_or_none(catalog: Catalog) -> None:
    models = listed("prototype.json")
    assert len({model["name"] for model in models}) == len(models) == 38
    assert {model["id"] for model in models if model["id"]} <= set(catalog.known_ids())
    assert [model["name"] for model in models if model["id"] is None] == ["unsloth/Llama-3.2-30B-Vision"]
    assert all(model.get("note") for model in models if model["id"] != model["name"])


def test_every_id_of_aims_catalogue_has_facts(catalog: Catalog) -> None:
    ids = {model["id"] for model in listed("aim.json")}
    assert len(ids) == 32
    assert ids <= set(catalog.known_ids())


def test_an_id_without_facts_says_why() -> None:
    assert all(entry.notes for entry in ENTRIES.values() if entry.facts == "unknown")

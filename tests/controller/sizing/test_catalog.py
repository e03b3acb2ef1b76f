import pytest
from msgspec.structs import replace as with_fields

from controller.sizing.catalog import Catalog, CatalogError
from controller.sizing.errors import UnknownFacts, UnknownModel
from controller.sizing.facts import Checkpoint, FullAttention, LatentAttention, LayerGroup, Shape, Source
from controller.sizing.family_file import EnteredFacts, FamilyFile, ModelEntry

SOURCES = (Source("shape", "a test", "known"),)
SHAPE = Shape("llama", 8, 16, 2, 32, True, 64, (LayerGroup(2, FullAttention(1, 4)),))
ENTRY = ModelEntry("a/b", SOURCES, EnteredFacts(SHAPE, Checkpoint("bfloat16")))
SIBLING = ModelEntry("a/c", SOURCES, same_as="a/b", checkpoint=Checkpoint("float16"))
UNKNOWN = ModelEntry("a/d", (), "unknown")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.bundled()


def small(*entries: ModelEntry) -> Catalog:
    return Catalog.of([FamilyFile("test", entries)])


def test_every_bundled_model_is_there(catalog: Catalog) -> None:
    assert len(catalog.known_ids()) >= 64
    assert all(catalog.get(model_id).sources for model_id in catalog.known_ids())


def test_facts_are_read_by_name(catalog: Catalog) -> None:
    facts = catalog.get("deepseek-ai/DeepSeek-V3")
    assert facts.layers == (LayerGroup(61, LatentAttention(512, 64, 128, 128, 1536)),)
    assert (facts.total_params, facts.parameters.mtp) == (684489845504, 13463426304)
    assert facts.checkpoint.bytes == 688574839360


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        ("Qwen/Qwen3-8b", "Qwen/Qwen3-8B"),
        ("meta-llama/Llama-3.1-8B-Instrukt", "meta-llama/Llama-3.1-8B-Instruct"),
        ("Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    ],
)
def test_a_near_miss_is_refused_and_offers_the_nearest(catalog: Catalog, asked: str, want: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        catalog.get(asked)
    assert refusal.value.nearest[0] == want
    assert (refusal.value.field, refusal.value.value) == ("model_id", asked)
    assert want in refusal.value.remedy


@pytest.mark.parametrize("asked", ["", "x" * 100_000, "\x00"], ids=["empty", "absurdly long", "control character"])
def test_what_is_near_to_nothing_offers_nothing(catalog: Catalog, asked: str) -> None:
    with pytest.raises(UnknownModel) as refusal:
        catalog.get(asked)
    assert refusal.value.nearest == ()


def test_an_id_without_facts_says_so() -> None:
    with pytest.raises(UnknownFacts, match="by name only") as refusal:
        small(UNKNOWN).get("a/d")
    assert (refusal.value.field, refusal.value.value) == ("model_id", "a/d")


def test_known_ids_are_those_with_facts() -> None:
    catalog = small(ENTRY, SIBLING, UNKNOWN)
    assert catalog.ids() == ("a/b", "a/c", "a/d")
    assert catalog.known_ids() == ("a/b", "a/c")


def test_a_sibling_has_the_shape_and_its_own_files() -> None:
    facts = small(ENTRY, SIBLING).get("a/c")
    assert (facts.model_id, facts.shape, facts.same_as) == ("a/c", SHAPE, "a/b")
    assert facts.checkpoint.dtype == "float16"


@pytest.mark.parametrize(
    ("entries", "want"),
    [
        pytest.param((ENTRY, ENTRY), "a/b stands in more than one place", id="twice"),
        pytest.param((SIBLING,), "same_as 'a/b' names no model with facts", id="no such sibling"),
        pytest.param((ENTRY, SIBLING, with_fields(SIBLING, id="a/e", same_as="a/c")), "same_as 'a/c'", id="a chain"),
    ],
)
def test_entries_that_contradict_are_refused(entries: tuple[ModelEntry, ...], want: str) -> None:
    with pytest.raises(CatalogError, match=want):
        small(*entries)


def test_given_models_win_over_the_catalogues_own() -> None:
    catalog = small(ENTRY)
    own = with_fields(SHAPE, vocab_size=64)
    given = small(with_fields(ENTRY, facts=EnteredFacts(own, Checkpoint("bfloat16")))).get("a/b")
    assert catalog.with_models([given]).get("a/b").shape.vocab_size == 64
    assert catalog.get("a/b").shape.vocab_size == 32

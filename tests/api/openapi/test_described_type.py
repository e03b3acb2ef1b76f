"""Schema and model side by side."""

from pydantic import Field

from api.object import ApiModel
from api.openapi.described_type import DescribedType, shared_types
from api.openapi.structural_schema import structural_schema


class Leaf(ApiModel):
    """A leaf."""

    size: int = Field(description="Size.")


class Twig(ApiModel):
    """A twig."""

    leaf: Leaf = Field(description="The leaf.")


class Tree(ApiModel):
    """A tree."""

    leaves: list[Leaf] = Field(default_factory=list, description="Leaves.")
    by_name: dict[str, Twig] | None = Field(default=None, description="Twigs.")
    height_m: int = Field(alias="heightM", description="Height.")


TREE = DescribedType.of(Tree, structural_schema(Tree))


def test_a_field_leads_to_its_type() -> None:
    leaves, twigs, height = TREE.fields
    assert (leaves.path, twigs.path, height.path) == ("leaves[]", "byName{}", "heightM")
    assert leaves.struct is not None
    assert (leaves.struct.name, leaves.struct.description) == ("Leaf", "A leaf.")
    assert (height.struct, height.required, leaves.required) == (None, True, False)


def test_a_type_that_several_structs_have_is_shared() -> None:
    assert [type_.name for type_ in shared_types([TREE])] == ["Leaf"]


def test_a_root_that_is_there_twice_counts_once() -> None:
    twig = DescribedType.of(Twig, structural_schema(Twig))
    assert shared_types([twig, twig]) == []

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from api.object import dump
from api.v1beta1 import GPUPartitionClaim
from controller.state.shared_fields import reading
from tests.builders.claim import bound_claim


def sets(value: Any) -> Iterator[set[str]]:
    """Of every model within."""
    if isinstance(value, BaseModel):
        yield value.__pydantic_fields_set__
        for each in value.__dict__.values():
            yield from sets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from sets(each)


def test_it_reads_what_the_model_reads() -> None:
    raw = bound_claim("aim-a", phase="Allocated")
    read, validated = reading(GPUPartitionClaim)(raw), GPUPartitionClaim.model_validate(raw)
    assert read == validated
    assert dump(read) == dump(validated)
    assert list(sets(read)) == list(sets(validated))


def test_what_is_filled_in_alike_is_kept_once() -> None:
    read = reading(GPUPartitionClaim)
    many = [read(bound_claim(f"aim-{number}", f"worker-{number}", phase="Allocated")) for number in range(20)]
    each, all_of_them = list(sets(many[0])), list(sets(many))
    assert len(all_of_them) == 20 * len(each)
    assert len({id(one) for one in all_of_them}) == len(set(map(frozenset, each)))


def test_a_copy_that_says_more_leaves_the_others_as_they_are() -> None:
    read = reading(GPUPartitionClaim)
    first, second = (read(bound_claim(name, phase="Allocated")) for name in ("aim-a", "aim-b"))
    changed = first.status.model_copy(update={"rebinds": 3})
    assert "rebinds" in changed.model_fields_set
    assert "rebinds" not in first.status.model_fields_set | second.status.model_fields_set


def test_what_could_be_changed_is_refused() -> None:
    class Loose(BaseModel):
        pass

    with pytest.raises(TypeError, match="Loose is not frozen"):
        reading(Loose)

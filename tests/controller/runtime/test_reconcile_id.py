import uuid
from random import Random

from controller.runtime.reconcile_id import uuid_source


def test_ids_are_uuids_of_version_8_in_order() -> None:
    source = uuid_source(Random(1))
    made = [source() for _ in range(1000)]
    assert all((parsed := uuid.UUID(text)).version == 8 and parsed.variant == uuid.RFC_4122 for text in made)
    assert made == sorted(set(made))


def test_sources_do_not_meet() -> None:
    prefixes = {uuid_source(Random(seed))()[:23] for seed in range(1000)}
    assert len(prefixes) == 1000

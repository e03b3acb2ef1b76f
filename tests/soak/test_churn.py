from collections import Counter
from random import Random

from tests.soak.churn import Churn, Operation, Verb


def history(seed: int, count: int = 5000, live: int = 50) -> list[Operation]:
    churn = Churn(Random(seed), live)
    return [churn.next() for _ in range(count)]


def test_the_same_seed_is_the_same_history() -> None:
    assert history(1) == history(1)
    assert history(1) != history(2)


def test_only_what_exists_is_changed_and_names_are_never_used_again() -> None:
    alive: set[str] = set()
    ever: set[str] = set()
    for operation in history(3):
        if operation.verb is Verb.CREATE:
            assert operation.name not in ever
            alive.add(operation.name)
            ever.add(operation.name)
        else:
            assert operation.name in alive
        if operation.verb is Verb.DELETE:
            alive.remove(operation.name)


def test_the_number_of_objects_stays_where_it_is() -> None:
    churn = Churn(Random(4), live=50)
    counts = []
    for _ in range(5000):
        churn.next()
        counts.append(len(churn.names))
    assert set(counts[100:]) <= set(range(44, 51))


def test_half_are_updates_and_every_verb_occurs() -> None:
    verbs = Counter(operation.verb for operation in history(5))
    assert 0.4 < verbs[Verb.UPDATE] / verbs.total() < 0.6
    assert verbs[Verb.CREATE] > 500
    assert verbs[Verb.DELETE] > 500

import structlog

from controller.runtime.cache.store import Store
from controller.state.table import Table


def number(obj: dict[str, object]) -> int:
    spec = obj["spec"]
    assert isinstance(spec, dict)
    return int(spec["n"])


def thing(n: object, version: str = "1") -> dict[str, object]:
    spec = {} if n is None else {"n": n}
    return {"metadata": {"name": "x", "uid": "u", "resourceVersion": version}, "spec": spec}


def test_rows_follow_the_events() -> None:
    table, store = Table(number), Store()
    for obj in (thing(1, "1"), thing(2, "2")):
        for event in store.apply(obj):
            table.take(event)
    assert (table.get("x"), len(table), list(table.items()), list(table.values())) == (2, 1, [("x", 2)], [2])
    for event in store.remove(thing(2, "2")):
        table.take(event)
    assert (table.get("x"), list(table.keys())) == (None, [])


def test_an_object_that_is_not_understood_has_no_row_and_is_logged() -> None:
    table, store = Table(number), Store()
    for bad, version in ((thing(1), "1"), (thing("one", "2"), "2"), (thing(None, "3"), "3")):
        with structlog.testing.capture_logs() as lines:
            for event in store.apply(bad):
                table.take(event)
        assert (table.get("x") is None) == bool(lines) == (version != "1")


def test_reading_while_events_come_is_safe() -> None:
    table, store = Table(number), Store()
    for event in store.apply(thing(1)):
        table.take(event)
    rows = table.items()
    for event in store.remove(thing(1)):
        table.take(event)
    assert list(rows) == [("x", 1)]

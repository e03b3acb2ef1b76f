import pytest

from controller.placement.promises import Promises


@pytest.mark.parametrize(
    ("service", "bound", "want"),
    [
        pytest.param("a/new", 8, 2, id="a new one has what all others leave"),
        pytest.param("a/chat", 8, 7, id="its own promise is no other's"),
        pytest.param("a/plain", 8, 2, id="one that is there and promised nothing"),
        pytest.param("a/new", 6, 0, id="nothing is left"),
        pytest.param("a/new", 4, -2, id="more is promised than can be"),
        pytest.param("a/new", None, None, id="nothing bounds them"),
    ],
)
def test_what_others_are_promised_is_taken(service: str, bound: int | None, want: int | None) -> None:
    assert Promises({"a/chat": 5, "a/draft": 1, "a/plain": 0}).left(service, bound) == want


def test_a_service_is_promised_once_however_many_pods_it_has() -> None:
    promises = Promises({"a/chat": 5})
    promises.make("a/chat", 5)
    promises.make("a/draft", 2)
    promises.make("a/draft", 2)
    assert promises.together == 7
    assert promises.services == {"a/chat", "a/draft"}


def test_who_has_no_pod_there_is_none_of_them() -> None:
    promises = Promises({"a/plain": 0})
    assert "a/plain" in promises
    assert "a/chat" not in promises


def test_promises_made_later_do_not_change_what_they_began_with() -> None:
    began = {"a/chat": 5}
    Promises(began).make("a/draft", 2)
    assert began == {"a/chat": 5}

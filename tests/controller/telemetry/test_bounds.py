import pytest

from controller.telemetry.bounds import merged_histograms, service_labels, split_key, summed
from controller.telemetry.histograms import Merged

OTHERS = ("other", "other", "other")


def test_the_first_by_key_have_labels_of_their_own_and_the_rest_one_set() -> None:
    labels = service_labels({"c/x": "", "b/x": "M2", "a/x": "M1"}, most=2)
    assert [labels(key) for key in ("a/x", "b/x", "c/x", "gone/x")] == [
        ("a", "x", "M1"),
        ("b", "x", "M2"),
        OTHERS,
        OTHERS,
    ]


@pytest.mark.parametrize(("key", "want"), [("team/chat", ("team", "chat")), ("chat", ("", "chat"))])
def test_a_key_is_namespace_and_name(key: str, want: tuple[str, str]) -> None:
    assert split_key(key) == want


def test_only_what_is_told_together_is_summed() -> None:
    rows = [((*OTHERS, "200"), 1.0), (("a", "x", "M", "200"), 2.0), ((*OTHERS, "200"), 4.0), ((*OTHERS, "502"), 8.0)]
    want = [(("a", "x", "M", "200"), 2.0), ((*OTHERS, "200"), 5.0), ((*OTHERS, "502"), 8.0)]
    assert list(summed(rows)) == want


def test_histograms_told_together_have_the_edges_that_all_have() -> None:
    one, two = Merged((1.0, 1.5, 2.0), (1, 2, 4, 8), 10.0), Merged((1.0, 2.0, 3.0), (16, 32, 64, 128), 100.0)
    alone = (("a", "x", "M"), one)
    found = list(merged_histograms([(OTHERS, one), alone, (OTHERS, two)]))
    assert found == [alone, (OTHERS, Merged([1.0, 2.0], [17, 38, 200], 110.0))]

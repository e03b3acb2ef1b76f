import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.sized_body import SizedBody


@given(st.binary(max_size=60), st.binary(max_size=9), st.lists(st.integers(1, 20), max_size=80))
def test_a_body_is_whole_in_whatever_pieces_it_comes_and_takes_nothing_of_what_follows(
    body: bytes, behind: bytes, cuts: list[int]
) -> None:
    sent, sized, at, taken = body + behind, SizedBody(len(body)), 0, 0
    for size in [*cuts, len(sent)]:
        if sized.ended:
            break
        piece = b"??" + sent[at : at + size]
        at += len(piece) - 2
        taken += sized.feed(piece, 2) - 2
    assert (sized.ended, taken, sized.whole()) == (True, len(body), body)


def test_what_has_not_ended_is_not_whole() -> None:
    sized = SizedBody(2)
    assert sized.feed(b"a") == 1
    with pytest.raises(ValueError, match="not ended"):
        sized.whole()

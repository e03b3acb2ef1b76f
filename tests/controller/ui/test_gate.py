import pytest

from controller.ui.gate import NotLetIn, TokenGate, bearer, check_host
from controller.ui.viewer import EVERYTHING

NAMES = ("127.0.0.1", "localhost", "[::1]")


async def test_the_token_opens_and_no_other_does() -> None:
    gate = TokenGate("right")
    assert (await gate.admit("right")).viewer == EVERYTHING
    for wrong in ("righ", "rightt", "räight"):
        with pytest.raises(NotLetIn, match="aim-gpu ui printed last") as refused:
            await gate.admit(wrong)
        assert refused.value.status == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic abc", "abc"])
async def test_a_request_without_a_bearer_token_is_refused_with_what_to_do(header: str) -> None:
    with pytest.raises(NotLetIn, match="no token; open the URL that aim-gpu ui printed") as refused:
        await TokenGate("right").admit(bearer(header))
    assert refused.value.status == 401


def test_a_bearer_token_is_read_whatever_the_scheme_is_written_like() -> None:
    assert (bearer("Bearer abc"), bearer("bearer  abc ")) == ("abc", "abc")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_our_own_names_are_answered(host: str) -> None:
    check_host(host, NAMES, 8080)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("evil.example:8080", id="a name that somebody pointed here"),
        pytest.param("localhost.evil.example:8080", id="a name that begins like ours"),
        pytest.param("localhost:9090", id="another port"),
        pytest.param("localhost", id="no port"),
        pytest.param("", id="no host"),
    ],
)
def test_other_names_are_not(host: str) -> None:
    with pytest.raises(NotLetIn, match=r"use 127\.0\.0\.1:8080") as refused:
        check_host(host, NAMES, 8080)
    assert refused.value.status == 421

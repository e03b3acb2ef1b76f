import pytest

from controller.entrypoints.webhook_address import WebhookAddressError, parse_webhook_host, parse_webhook_url


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("https://127.0.0.1:44801", "https://127.0.0.1:44801", id="host and port"),
        pytest.param("https://127.0.0.1:44801/", "https://127.0.0.1:44801", id="the slash goes"),
        pytest.param("HTTPS://hooks.example", "https://hooks.example", id="a name alone"),
        pytest.param("https://[::1]:9443", "https://[::1]:9443", id="IPv6"),
    ],
)
def test_a_base_url_is_taken(text: str, want: str) -> None:
    assert parse_webhook_url(text) == want


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("127.0.0.1:44801", "over https only", id="no scheme"),
        pytest.param("http://h:1", "over https only", id="not encrypted"),
        pytest.param("ftp://x", "over https only", id="another scheme"),
        pytest.param("", "over https only", id="nothing"),
        pytest.param("https://", "no host", id="no host"),
        pytest.param("https://:9443", "no host", id="only a port"),
        pytest.param("https://h:0", "no port that can be called", id="port zero"),
        pytest.param("https://h:99999", "Port out of range", id="port too high"),
        pytest.param("https://h:1/mutate-pod", "the webhook's path is ours", id="a path"),
        pytest.param("https://h:1?a=b", "more than a host and a port", id="a query"),
        pytest.param("https://h:1#a", "more than a host and a port", id="a fragment"),
        pytest.param("https://me:pw@h:1", "more than a host and a port", id="a user"),
        pytest.param("https://h:1 ", "Port could not be cast", id="a space"),
        pytest.param("https://[::1", "Invalid IPv6", id="half an address"),
    ],
)
def test_another_url_is_refused_with_its_remedy(text: str, problem: str) -> None:
    with pytest.raises(WebhookAddressError) as raised:
        parse_webhook_url(text)
    assert f"--webhook-url {text!r}: " in str(raised.value)
    assert problem in str(raised.value)
    assert str(raised.value).endswith("; give https://HOST:PORT")


@pytest.mark.parametrize("text", ["127.0.0.1", "hooks.example", "Node-1"])
def test_a_host_is_taken(text: str) -> None:
    assert parse_webhook_host(text) == text


@pytest.mark.parametrize("text", ["", "h:9443", "https://h", "h/", "me@h", "::1", "[::1]", " h", "h?x", "[::1"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(WebhookAddressError, match=r"give a name or IPv4 address"):
        parse_webhook_host(text)

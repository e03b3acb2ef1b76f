"""How the API server reaches webhooks outside the cluster, as the command line tells it."""

from urllib.parse import urlsplit


class WebhookAddressError(ValueError):
    """An address that the API server would refuse, or would call in vain; the text names option, value and remedy."""


def parse_webhook_url(text: str) -> str:
    """The base URL of `https://HOST[:PORT]`, without a slash at its end. Raises WebhookAddressError for another."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _bad_url(text, str(error)) from error
    if parts.scheme != "https":
        raise _bad_url(text, "the API server calls webhooks over https only")
    if not parts.hostname or port == 0 or text != text.strip():
        raise _bad_url(text, "it has no host, or no port that can be called")
    if parts.path.strip("/") or any(mark in text for mark in "?#@"):
        raise _bad_url(text, "it has more than a host and a port; the webhook's path is ours to add")
    return f"https://{parts.netloc}"


def parse_webhook_host(text: str) -> str:
    """A host's name or IPv4 address. Raises WebhookAddressError for anything else, such as a URL."""
    try:
        alone = text == text.strip() and urlsplit(f"https://{text}").hostname == text.lower()
    except ValueError:
        alone = False
    if not text or not alone:
        raise WebhookAddressError(f"--webhook-host {text!r}: no host; give a name or IPv4 address, such as 10.0.0.7")
    return text


def _bad_url(text: str, problem: str) -> WebhookAddressError:
    return WebhookAddressError(f"--webhook-url {text!r}: {problem}; give https://HOST:PORT")

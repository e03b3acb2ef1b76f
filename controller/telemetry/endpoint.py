"""Where a collector of OpenTelemetry is, as people write it."""

from urllib.parse import urlsplit


class OtlpError(ValueError):
    """Something is to be sent to a collector and cannot be; the text says what to do."""


def signal_url(endpoint: str, signal: str) -> str:
    """The URL to send to: `endpoint`, with /v1/`signal` where it has no path. Raises OtlpError for what is no URL."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise OtlpError(f"endpoint {endpoint!r}: give a URL such as http://collector:4318")
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}/v1/{signal}"


def not_installed(url: str) -> OtlpError:
    """What is said without the exporter, which is an extra."""
    return OtlpError(f"endpoint {url!r}: the exporter is not installed; run pip install 'aim-gpu-sharing[otlp]'")

"""Reads a page of metrics over HTTP, from somebody who may answer anything: within limits of time and length."""

import ssl
from typing import Final

import aiohttp

from controller.runtime.pod_addresses import Address

_PIECE: Final = 1 << 16
_ASKED: Final = {"Accept": "text/plain; version=0.0.4", "Accept-Encoding": "identity"}
"""The format that `metrics_text` reads, as it is: unpacked, some KiB can be gigabytes."""

UNREACHABLE, TIMEOUT, REFUSED, TOO_LONG = "unreachable", "timeout", "refused", "too_long"


def page_session(connections: int) -> aiohttp.ClientSession:
    """A session for reading pages, of so many connections at most. It unpacks nothing and keeps no cookies."""
    connector = aiohttp.TCPConnector(limit=connections)
    return aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), headers=_ASKED
    )


class PageError(Exception):
    """No page: `reason` is UNREACHABLE (or its certificate is not trusted), TIMEOUT, REFUSED (it answered something
    else than 200, or packed) or TOO_LONG. The text names the address and what was wrong."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


async def read_page(
    session: aiohttp.ClientSession, address: Address, *, tls: ssl.SSLContext | None, seconds: float, most_bytes: int
) -> str:
    """The page at /metrics, whole, of `most_bytes` at most, within `seconds`. Raises PageError.

    `session` is of `page_session`. `tls`: for those that speak HTTPS; None: the system's authorities. Redirects are
    not followed: they would lead wherever the one that is asked likes.
    """
    host = f"[{address.host}]" if ":" in address.host else address.host
    url = f"{'https' if address.tls else 'http'}://{host}:{address.port}/metrics"
    limit = aiohttp.ClientTimeout(total=seconds)
    try:
        async with session.get(url, timeout=limit, ssl=tls or True, allow_redirects=False) as answer:
            packed = answer.headers.get("Content-Encoding", "identity")
            if answer.status != 200 or packed != "identity":
                raise PageError(REFUSED, f"{url}: answers {answer.status}, packed as {packed}")
            page = bytearray()
            async for piece in answer.content.iter_chunked(_PIECE):
                page += piece
                if len(page) > most_bytes:
                    raise PageError(TOO_LONG, f"{url}: its page is longer than {most_bytes} bytes")
            return page.decode("utf-8", "replace")
    except TimeoutError as error:
        raise PageError(TIMEOUT, f"{url}: not answered within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise PageError(UNREACHABLE, f"{url}: {str(error) or repr(error)}") from error

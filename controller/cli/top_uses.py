"""What partitions do, from a Prometheus that scrapes the agents: by its URL, or as a Service through the API server.

Agents tell their metrics only to who has the right and reaches them, which a person's shell seldom does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from controller.cli.top_fleet import Place, Use
from controller.runtime.client.client import Client
from controller.runtime.client.errors import ApiError

MEMORY: Final = "aim_gpu_partition_memory_bytes"
BUSY: Final = "aim_gpu_partition_utilization"
QUERY: Final = f'{{__name__=~"{MEMORY}|{BUSY}"}}'

#: Longest that an answer may take, seconds, and how large it may be: 6,400 partitions take 3 MB.
LIMIT_SECONDS: Final = 5.0
MOST_BYTES: Final = 64 << 20


class BadSource(ValueError):
    """A text that names no Prometheus; the text says what to write."""


class NoUses(Exception):
    """The Prometheus does not tell; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus: `url` of one that is reached directly, else the Service `namespace/name:port`."""

    url: str = ""
    namespace: str = ""
    service: str = ""
    port: str = ""

    @property
    def path(self) -> str:
        """Where the API server passes requests on to the Service."""
        return f"/api/v1/namespaces/{self.namespace}/services/http:{self.service}:{self.port}/proxy/api/v1/query"


def parse_source(text: str) -> Source:
    """What `--prometheus` names. Raises BadSource."""
    if text.startswith(("http://", "https://")):
        if not urlsplit(text).hostname:
            raise BadSource(f"--prometheus {text!r} names no host; write e.g. http://localhost:9090")
        return Source(url=text.rstrip("/"))
    namespace, slash, rest = text.partition("/")
    service, colon, port = rest.partition(":")
    if not slash or not namespace or not service or "/" in rest or (colon and not port.isdecimal()):
        raise BadSource(f"--prometheus {text!r} is neither a URL nor NAMESPACE/SERVICE[:PORT]")
    return Source(namespace=namespace, service=service, port=port or "9090")


async def read_uses(client: Client, source: Source) -> Mapping[Place, Use]:
    """What each partition does now. Raises NoUses."""
    params = {"query": QUERY}
    if source.url:
        return uses_of(await _direct(f"{source.url}/api/v1/query", params))
    try:
        return uses_of(await client.request("GET", source.path, params=params, timeout=LIMIT_SECONDS))
    except ApiError as error:
        raise NoUses(f"service {source.namespace}/{source.service}: {error.message}") from error


async def _direct(url: str, params: Mapping[str, str]) -> bytes:
    import ssl

    import aiohttp  # the client has it anyway

    timeout, trusted = aiohttp.ClientTimeout(total=LIMIT_SECONDS), ssl.create_default_context()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, params=params, ssl=trusted) as answer,  # a command's aiohttp trusts nobody by itself
        ):
            body = await answer.content.read(MOST_BYTES)
            if answer.status != 200:
                raise NoUses(f"{url} answers {answer.status}")
            return body
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NoUses(f"{url} does not answer ({str(error) or type(error).__name__})") from error


def uses_of(body: bytes) -> dict[Place, Use]:
    """What an answer of Prometheus says of partitions. Raises NoUses for an answer that is none."""
    try:
        answer = orjson.loads(body)
        rows = answer["data"]["result"]
        found: dict[Place, dict[str, float]] = {}
        for row in rows:
            _take(found, row["metric"], float(row["value"][1]))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise NoUses(f"what answers is no Prometheus ({error})") from error
    return {place: _use(told) for place, told in found.items()}


def _take(found: dict[Place, dict[str, float]], labels: Mapping[str, Any], value: float) -> None:
    name = labels["__name__"]
    if name == MEMORY and labels.get("type") != "used":
        return
    # scrapes that do not honour labels call the node of the agent's pod `node`, too
    node = labels.get("exported_node") or labels["node"]
    found.setdefault((node, labels["gpu"], int(labels["partition"])), {})[name] = value


def _use(told: Mapping[str, float]) -> Use:
    used = told.get(MEMORY)
    return Use(None if used is None else int(used), told.get(BUSY))

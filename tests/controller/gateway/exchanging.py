"""What tests of the data path share: a gateway that listens, and a client that speaks bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.gateway.configuration import GatewayConfiguration
from controller.gateway.gateway import Gateway
from controller.gateway.latency import LatencyTable
from controller.gateway.reload import MakeTable
from tests.builders.gateway_configuration import KEY, Keys

ASK = b'{"model":"llama","messages":[]}'
ASK_STREAM = b'{"model":"llama","stream":true,"messages":[]}'


def request(
    body: bytes = ASK, *, path: bytes = b"/v1/chat/completions", headers: bytes = b"", key: bytes | None = KEY
) -> bytes:
    shown = b"authorization: Bearer %b\r\n" % key if key is not None else b""
    return b"POST %b HTTP/1.1\r\nhost: gateway\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        path,
        shown,
        headers,
        len(body),
        body,
    )


@dataclass
class Got:
    """An answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in raw[1:] if line)
        return int(raw[0].split()[1]), fields

    async def chunk(self) -> bytes:
        """The next chunk's data; empty at the end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def read(self) -> Got:
        async with asyncio.timeout(30):
            status, fields = await self.head()
            if status in (204, 304):
                body = b""
            elif "content-length" in fields:
                body = await self.reader.readexactly(int(fields["content-length"]))
            elif fields.get("transfer-encoding") == "chunked":
                body = b""
                while piece := await self.chunk():
                    body += piece
            else:
                body = await self.reader.read()
            return Got(status, fields, body)

    async def ask(self, data: bytes) -> Got:
        self.send(data)
        return await self.read()

    async def ended(self) -> bool:
        """Whether the gateway has closed, with nothing more sent."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def serving(
    configuration: GatewayConfiguration, authenticator: Keys | None = None, make_table: MakeTable = LatencyTable
) -> AsyncIterator[tuple[Gateway, "Dial"]]:
    async with Gateway(configuration, authenticator=authenticator or Keys(), make_table=make_table) as gateway:
        port = await gateway.serve("127.0.0.1", 0)
        dial = Dial(port)
        try:
            yield gateway, dial
        finally:
            dial.close()


class Dial:
    """Connects clients to a gateway, and closes them in the end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._clients: list[Client] = []

    async def __call__(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.writer.close()


async def eventually(condition: "object", *, within: float = 30.0) -> None:
    """Wait until `condition()` is true."""
    assert callable(condition)
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.005)

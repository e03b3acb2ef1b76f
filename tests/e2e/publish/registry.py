"""A registry in memory, as much of one as Helm needs to push a chart."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry(ThreadingHTTPServer):
    """`kept`: what was put, by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, bytes] = {}

    @property
    def host(self) -> str:
        """Name and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        body = self.server.kept.get(self.path)
        if body is None:
            self._answer(404)
        elif "/manifests/" in self.path:
            told = {"Content-Type": MANIFEST, "Docker-Content-Digest": digest_of(body)}
            self._answer(200, **{"Content-Length": str(len(body)), **told})
        else:
            self._answer(200, **{"Content-Length": str(len(body))})

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.server.kept.get(self.path, b""))

    def do_POST(self) -> None:
        self._answer(202, Location=f"{self.path}1")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        place = urlsplit(self.path)
        digest = digest_of(body)
        if asked := parse_qs(place.query).get("digest"):
            assert asked == [digest]
            self.server.kept[place.path.replace("/uploads/1", f"/{digest}")] = body
        else:
            self.server.kept[place.path] = body
        self._answer(201, Location=place.path, **{"Docker-Content-Digest": digest})

    def _answer(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": "0"} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base calls it
        """Nobody reads it."""


@contextmanager
def registry() -> Iterator[Registry]:
    """One that runs."""
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

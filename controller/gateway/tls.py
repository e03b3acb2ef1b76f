"""The certificate clients see, from mounted files, and another when these change; connections that exist keep theirs.

By the standard library alone: parsing certificates with `cryptography`, as the operator does, costs 10 MB here. What a
certificate is worth is found out by shaking hands with it, in memory: key, chain and time are then as a client finds
them.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from controller.runtime.clock import Clock

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""As in a Secret of type kubernetes.io/tls."""

LOOK_SECONDS: Final = 10.0
"""Between two looks at the files. The kubelet itself takes up to a minute to bring a changed Secret."""

SOON: Final = timedelta(days=7)
"""A certificate that ends sooner is told of in the log; who renews certificates does so long before."""

_MOUNTED: Final = "..data"  # the link by which the kubelet swaps a mounted Secret's files together
_ROUNDS: Final = 10  # of a handshake in memory: TLS 1.3 takes three


class TlsError(ValueError):
    """Files that no client could be served with; the text names them and what is wrong, and quotes no material."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    material: tuple[bytes, bytes]
    not_after: datetime


class TlsFiles:
    """Follows tls.crt and tls.key in `folder`. `context` is for listeners: each new connection sees the latest files.

    Files that do not fit each other are refused and looked at again: they may have been caught half way.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._latest: _Loaded | None = None
        self._problem = "not read yet"
        self._log = structlog.get_logger(__name__)
        self.context = server_context()
        self.context.sni_callback = self._choose
        self.reads = 0

    def __str__(self) -> str:
        return f"TLS files in {self._folder}"

    def load(self) -> None:
        """Read them for the first time. Raises TlsError."""
        self._latest = self._read()
        self._problem = ""
        self._tell(self._latest)

    async def run(self) -> None:
        """Look for others until cancelled. Failures are told, and what is there stays in use."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> bool:
        """Take other files, if there are any; whether there were."""
        try:
            found = self._read()
        except TlsError as error:
            if str(error) != self._problem:
                self._log.error("certificate refused; the old one stays", problem=str(error))
            self._problem = str(error)
            return False
        self._problem = ""
        if self._latest is not None and found.material == self._latest.material:
            return False
        self._latest = found
        self._tell(found)
        return True

    def ending(self) -> datetime | None:
        """When the certificate ends that clients see now; None before the first."""
        return self._latest.not_after if self._latest is not None else None

    def verdict(self) -> bool | str:
        """For readiness: whether clients can trust what they see now, else why not."""
        if self._latest is None:
            return f"certificate: {self._problem}"
        if self._clock.now() >= self._latest.not_after:
            return f"certificate: ended at {self._latest.not_after:%Y-%m-%dT%H:%M:%SZ}"
        return True

    def _tell(self, found: _Loaded) -> None:
        self.reads += 1
        left = found.not_after - self._clock.now()
        log = self._log.warning if left < SOON else self._log.info
        log("certificate", not_after=f"{found.not_after:%Y-%m-%dT%H:%M:%SZ}", days_left=left.days)

    def _choose(self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        # Called in every handshake, also when the client names no server.
        if self._latest is not None:
            connection.context = self._latest.context

    def _read(self) -> _Loaded:
        # One resolved folder for both: the link may move to another between two reads.
        mounted = self._folder / _MOUNTED
        folder = mounted.resolve() if mounted.exists() else self._folder
        certificate, key = folder / CERTIFICATE, folder / KEY
        try:
            material = certificate.read_bytes(), key.read_bytes()
            if self._latest is not None and material == self._latest.material:
                return self._latest
            context = server_context()
            context.load_cert_chain(certificate, key, password="")  # an encrypted key is refused, not asked for
        except OSError as error:  # ssl.SSLError is one too
            raise TlsError(f"{self._folder}: {CERTIFICATE} and {KEY}: {error.strerror or error}") from error
        return _Loaded(context, material, _end_of(context, certificate))


def server_context() -> ssl.SSLContext:
    """A context of ours before it has a certificate: TLS 1.2 and later, HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _end_of(context: ssl.SSLContext, certificate: Path) -> datetime:
    """When the certificate ends. Raises TlsError for one that no client would accept, whomever it trusts."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the leaf itself is trusted
    trusting.load_verify_locations(certificate)
    try:
        peer = _shake_hands(context, trusting)
    except ssl.SSLError as error:
        raise TlsError(f"{certificate}: no client would accept it: {error.reason or error}") from error
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(peer["notAfter"])), UTC)


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, object]:
    """The server's certificate as a client of it sees it, by a handshake that leaves no process."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(_ROUNDS):
        ready = 0
        for end in ends:
            try:
                end.do_handshake()
                ready += 1
            except ssl.SSLWantReadError:
                continue
        if ready == len(ends):
            break
    return dict(ends[0].getpeercert() or {})

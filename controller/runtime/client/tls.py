"""The client's TLS context: made once for a Client (building one costs some 50 ms and a megabyte), and again when the
files behind it change.

New connections use the new context, idle ones of the old are dropped; a watch keeps its connection until its end.
"""

import os
import ssl
import tempfile
from pathlib import Path
from typing import Final

from controller.runtime.client.configuration import ClientCertificate, ClientConfiguration, ConfigurationError
from controller.runtime.clock import Clock

# A look at three files' times; certificates are rotated days before they end.
_FRESH_SECONDS: Final = 60.0

_Signature = tuple[tuple[int, int, int] | None, ...]


class ClientTls:
    """The context for one server, None for plain http. Raises ConfigurationError on bad material."""

    def __init__(self, configuration: ClientConfiguration, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock
        self._shown: ClientCertificate | None = None
        material = (configuration.ca, configuration.client_certificate, configuration.client_key)
        self._files = tuple(Path(part) for part in material if isinstance(part, str))
        self._signature = self._look()
        self._looked_at = clock.monotonic()
        self._context = client_context(configuration)

    def context(self) -> ssl.SSLContext | None:
        """The context for a new connection; the same object for as long as nothing changed."""
        if self._files and self._clock.monotonic() - self._looked_at >= _FRESH_SECONDS:
            self._reread()
        return self._context

    def suspect(self) -> None:
        """A certificate was refused, theirs or ours: look at the files before the next connection."""
        self._looked_at = self._clock.monotonic() - _FRESH_SECONDS

    def show(self, certificate: ClientCertificate | None) -> None:
        """Use a credential plugin's certificate (None: the configuration's) for new connections."""
        if certificate != self._shown:
            self._context = client_context(self._configuration, certificate)
            self._shown = certificate

    def _reread(self) -> None:
        self._looked_at = self._clock.monotonic()
        signature = self._look()
        if signature == self._signature:
            return
        try:
            self._context = client_context(self._configuration, self._shown)
        except ConfigurationError as error:
            # Half way through a rotation: what we hold is good for a while, and the next look may find a pair.
            import structlog  # seldom said, and a tenth of what a command of a shell takes to start

            structlog.get_logger(__name__).warning("changed certificate files are not usable yet", error=str(error))
        else:
            self._signature = signature

    def _look(self) -> _Signature:
        return tuple(_signature(path) for path in self._files)


def client_context(
    configuration: ClientConfiguration, certificate: ClientCertificate | None = None
) -> ssl.SSLContext | None:
    """The context for `configuration.server`, None for plain http. Raises ConfigurationError on bad material.

    `certificate` replaces the configuration's own.
    """
    if configuration.server.startswith("http://"):
        return None
    try:
        context = _trust(configuration.ca)
        if certificate is not None:
            _identify(context, certificate.chain_pem, certificate.key_pem)
        elif configuration.client_certificate is not None and configuration.client_key is not None:
            _identify(context, configuration.client_certificate, configuration.client_key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(f"TLS material for {configuration.server}: {error}; correct file or data") from error
    if configuration.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - follows the links by which a mounted Secret is swapped
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _trust(ca: str | bytes | None) -> ssl.SSLContext:
    if isinstance(ca, bytes):
        return ssl.create_default_context(cadata=ca.decode("ascii"))
    return ssl.create_default_context(cafile=ca)


def _identify(context: ssl.SSLContext, certificate: str | bytes, key: str | bytes) -> None:
    # OpenSSL's binding loads a chain from files only; the folder is ours alone (0700) and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(
            _as_file(Path(folder) / "tls.crt", certificate), _as_file(Path(folder) / "tls.key", key)
        )


def _as_file(path: Path, material: str | bytes) -> str:
    if isinstance(material, str):
        return material
    path.write_bytes(material)
    return str(path)

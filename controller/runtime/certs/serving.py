"""A TLS server's certificate, replaced under way: new connections see the new one, those that exist keep theirs.

Loading another chain into a context that is in use is not enough: when the key does not fit, the context is left
with neither, and an RSA chain beside an ECDSA one replaces nothing. So each certificate gets a context of its own,
checked before anybody sees it, and the listener's context hands every new connection over to the latest.
"""

import ssl
import tempfile
from datetime import datetime
from pathlib import Path

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.validity import validity


class BadCertificate(ValueError):
    """A certificate that no client could accept; the text says why, and quotes no material."""


def server_context(certificate: ServingCertificate) -> ssl.SSLContext:
    """A context that shows `certificate`, TLS 1.2 and later. Raises BadCertificate on PEM that does not fit."""
    context = _empty_context()
    load_chain(context, certificate)
    return context


def load_chain(context: ssl.SSLContext, certificate: ServingCertificate) -> None:
    """Have a context that shows nothing yet show `certificate`. Raises BadCertificate on PEM that does not fit."""
    # OpenSSL's binding loads from files only; the folder is ours alone (0700) and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        chain.write_bytes(certificate.certificate_pem)
        key.write_bytes(certificate.private_key_pem)
        try:
            context.load_cert_chain(chain, key)
        except ssl.SSLError as error:
            raise BadCertificate(f"certificate and key: {error}; give a chain and its own key, PEM") from error


class ServingContext:
    """`context` is what a listener takes, once; `replace` decides what connections made from then on see.

    Before the first `replace`, handshakes fail.
    """

    def __init__(self) -> None:
        self.context = _empty_context()
        self.context.sni_callback = self._choose
        self._latest: ssl.SSLContext | None = None
        self.certificate: ServingCertificate | None = None

    def replace(self, certificate: ServingCertificate, now: datetime) -> None:
        """Show `certificate` from now on. Raises BadCertificate, and goes on showing the old one.

        One that is about to end is taken: it may be all there is.
        """
        if not certificate.not_before <= now < certificate.not_after:
            raise BadCertificate(str(validity(certificate, now)))
        self._latest = server_context(certificate)
        self.certificate = certificate

    def _choose(self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        # Called in every handshake, also when the client names no server.
        if self._latest is not None:
            connection.context = self._latest


def _empty_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context

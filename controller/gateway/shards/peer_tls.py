"""TLS between replicas: each shows the same certificate, as server and as client, of an authority that makes no other.

Whoever shows it has read the Secret that only replicas may read. Both ends check the chain and the name.
"""

import ssl
from datetime import datetime

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.serving import BadCertificate, load_chain, server_context
from controller.runtime.certs.validity import validity


class PeerTls:
    """`server` is what a listener takes, once. `replace` decides what connections made from then on show and trust.

    Before the first `replace`, handshakes fail.
    """

    def __init__(self) -> None:
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.minimum_version = ssl.TLSVersion.TLSv1_3
        self.server.verify_mode = ssl.CERT_REQUIRED
        self.server.sni_callback = self._choose
        self._latest: ssl.SSLContext | None = None
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody

    def client(self) -> ssl.SSLContext:
        """For the next connection to a peer."""
        return self._client

    def replace(self, certificate: ServingCertificate, now: datetime) -> None:
        """Show `certificate` and trust its authorities from now on. Raises BadCertificate, and goes on as before."""
        if not certificate.not_before <= now < certificate.not_after:
            raise BadCertificate(str(validity(certificate, now)))
        if not certificate.authority_pem:
            raise BadCertificate("certificate of replicas: no authority (ca.crt) beside it: nobody could be trusted")
        server, client = server_context(certificate), _client_context(certificate)
        # A connection verifies by the context it was handed to, in the way of the one that it began with.
        server.load_verify_locations(cadata=certificate.authority_pem.decode("ascii"))
        server.verify_mode = ssl.CERT_REQUIRED
        self._latest, self._client = server, client

    def _choose(self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext) -> None:
        if self._latest is not None:
            connection.context = self._latest


def _client_context(certificate: ServingCertificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=certificate.authority_pem.decode("ascii"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    load_chain(context, certificate)
    return context

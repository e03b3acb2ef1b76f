"""A server's TLS context from PEM in memory; loading again into the same context renews it for new connections."""

import ssl
import tempfile
from pathlib import Path

from controller.runtime.certs.authority import ServingCertificate


def server_context(certificate: ServingCertificate) -> ssl.SSLContext:
    """A context that shows `certificate`, TLS 1.2 and later. Raises ssl.SSLError on PEM that does not fit."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, certificate)
    return context


def load(context: ssl.SSLContext, certificate: ServingCertificate) -> None:
    """Show `certificate` on connections made from now on; those that exist keep theirs."""
    # OpenSSL's binding loads from files only; the folder is ours alone (0700) and gone at once.
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
        chain.write_bytes(certificate.certificate_pem)
        key.write_bytes(certificate.private_key_pem)
        context.load_cert_chain(chain, key)

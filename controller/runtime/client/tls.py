"""The client's TLS context, made once for a Client: building one costs some 50 ms and a megabyte."""

import ssl
import tempfile
from pathlib import Path

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError


def client_context(configuration: ClientConfiguration) -> ssl.SSLContext | None:
    """The context for `configuration.server`, None for plain http. Raises ConfigurationError on bad material."""
    if configuration.server.startswith("http://"):
        return None
    try:
        context = _trust(configuration.ca)
        if configuration.client_certificate is not None and configuration.client_key is not None:
            _identify(context, configuration.client_certificate, configuration.client_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"TLS material for {configuration.server}: {error}; correct file or data") from error
    if configuration.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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

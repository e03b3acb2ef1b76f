"""How engines that speak HTTPS are trusted, by all processes that ask them."""

import ssl
from pathlib import Path

from controller.runtime.client.configuration import ConfigurationError


def engine_context(authority: Path | None) -> ssl.SSLContext:
    """For certificates that `authority` (PEM; None: the system's) vouches for. Raises ConfigurationError for a file
    that is none."""
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigurationError(f"--engine-ca {authority}: {error}; give certificates as PEM") from error

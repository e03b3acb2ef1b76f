"""Bearer tokens for requests, read again before they expire.

The transport asks for a token with each request and says when one was refused; each source decides what is fresh.
"""

import asyncio
from pathlib import Path
from typing import Protocol

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, PluginCredentials
from controller.runtime.clock import Clock

# A mounted service account token lives an hour and is rewritten at 80%: a minute is what client-go uses.
_FILE_FRESH_SECONDS = 60.0
# An exec plugin may take a second and prints tokens that live 10-60 minutes; an earlier end shows as a 401.
_PLUGIN_FRESH_SECONDS = 300.0


class Credentials(Protocol):
    """A source of bearer tokens."""

    async def token(self) -> str | None:
        """The token to send now, None to send none. Raises ConfigurationError when it cannot be had."""
        ...

    def refused(self) -> bool:
        """The server said 401: forget what is held. Returns whether a new token may differ."""
        ...


def credentials_of(configuration: ClientConfiguration, clock: Clock) -> Credentials:
    """The source that `configuration` asks for: file, plugin, or the fixed token (which may be None)."""
    if configuration.token_file is not None:
        return FileToken(configuration.token_file, clock)
    if configuration.plugin is not None:
        return PluginToken(configuration.plugin, clock)
    return FixedToken(configuration.token)


class FixedToken:
    """One token for as long as the process lives."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def token(self) -> str | None:
        """The token, or None."""
        return self._token

    def refused(self) -> bool:
        """False: there is no other."""
        return False


class FileToken:
    """A token in a file that somebody rotates (the kubelet, for a pod's service account)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._token: str | None = None
        self._read_at = 0.0

    async def token(self) -> str | None:
        """The file's content, at most a minute old. Raises ConfigurationError when it was never readable."""
        now = self._clock.monotonic()
        if self._token is None or now - self._read_at >= _FILE_FRESH_SECONDS:
            self._token = self._read() or self._token
            self._read_at = now
        return self._token

    def refused(self) -> bool:
        """True: the file may have been rewritten meanwhile."""
        self._read_at = self._clock.monotonic() - _FILE_FRESH_SECONDS
        return True

    def _read(self) -> str | None:
        try:
            return self._path.read_text().strip() or None
        except OSError as error:
            if self._token is not None:
                return None  # mid-rotation: the one we hold is good for a while
            raise ConfigurationError(f"token file {self._path}: cannot be read ({error.strerror})") from error


class PluginToken:
    """A token from a kubeconfig's exec plugin or auth provider, run by kubernetes-asyncio."""

    def __init__(self, plugin: PluginCredentials, clock: Clock) -> None:
        self._plugin = plugin
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._loaded_at: float | None = None

    async def token(self) -> str | None:
        """The plugin's token, at most five minutes old. Raises ConfigurationError when the plugin gives none."""
        async with self._lock:  # one run of the plugin, however many requests wait for it
            now = self._clock.monotonic()
            if self._loaded_at is None or now - self._loaded_at >= _PLUGIN_FRESH_SECONDS:
                self._token = await self._load()
                self._loaded_at = now
            return self._token

    def refused(self) -> bool:
        """True: the next token comes from a new run of the plugin."""
        self._loaded_at = None
        return True

    async def _load(self) -> str:
        # Imported here and only here: it costs 0.3 s and 70 MB, and few kubeconfigs need it.
        from kubernetes_asyncio.client import Configuration
        from kubernetes_asyncio.config import ConfigException, load_kube_config

        loaded = Configuration()
        try:
            await load_kube_config(
                config_file=str(self._plugin.kubeconfig),
                context=self._plugin.context,
                client_configuration=loaded,
                persist_config=False,
            )
        except ConfigException as error:
            raise ConfigurationError(f"{self._plugin.kubeconfig}: the credential plugin failed: {error}") from error
        value = loaded.api_key.get("BearerToken")
        if not value:
            raise ConfigurationError(f"{self._plugin.kubeconfig}: the credential plugin printed no token")
        return str(value).removeprefix("Bearer ")

"""What a request shows of who we are: bearer tokens, and certificates that a plugin prints, read again before they end.

The sender asks for the credential with each request and says when one was refused; each source decides what is fresh.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol

from controller.runtime.client.configuration import (
    AuthProvider,
    ClientConfiguration,
    ConfigurationError,
    ExecPlugin,
)
from controller.runtime.client.credential import Credential
from controller.runtime.client.errors import Unavailable
from controller.runtime.clock import Clock

# A mounted service account token lives an hour and is rewritten at 80%: a minute is what client-go uses.
_FILE_FRESH_SECONDS: Final = 60.0
# For credentials without an end; an earlier one than this shows as a 401.
_PLUGIN_FRESH_SECONDS: Final = 300.0
# Before a credential's end: for requests under way and clocks that differ. Half its life, if that is less.
_MARGIN_SECONDS: Final = 30.0
# A plugin that prints what has ended already must not be run for every request.
_LEAST_FRESH_SECONDS: Final = 5.0


class Credentials(Protocol):
    """A source of credentials."""

    async def current(self) -> Credential:
        """The one to show now: the same object until it changes.

        Raises ConfigurationError when it cannot be had, Unavailable when only the way to its issuer is closed.
        """
        ...

    def refused(self, credential: Credential) -> bool:
        """The server answered 401 to `credential`. Returns whether asking again may bring another one."""
        ...


def credentials_of(configuration: ClientConfiguration, clock: Clock) -> Credentials:
    """The source that `configuration` asks for: file, plugin, or the fixed token (which may be None)."""
    if configuration.token_file is not None:
        return FileToken(configuration.token_file, clock)
    if configuration.token is not None or configuration.plugin is None:
        return FixedToken(configuration.token)
    return PluginCredentials(_run_of(configuration.plugin), clock)


class FixedToken:
    """One token for as long as the process lives."""

    def __init__(self, token: str | None) -> None:
        self._credential = Credential(token)

    async def current(self) -> Credential:
        """The token, or nothing."""
        return self._credential

    def refused(self, credential: Credential) -> bool:  # noqa: ARG002 - the shape of all sources
        """False: there is no other."""
        return False


class FileToken:
    """A token in a file that somebody rotates (the kubelet, for a pod's service account)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._held: Credential | None = None
        self._read_at = 0.0

    async def current(self) -> Credential:
        """The file's content, at most a minute old. Raises ConfigurationError when it was never readable."""
        now = self._clock.monotonic()
        if self._held is None or now - self._read_at >= _FILE_FRESH_SECONDS:
            self._held = self._read(self._held)
            self._read_at = now
        return self._held

    def refused(self, credential: Credential) -> bool:
        """True: the file may have been rewritten meanwhile."""
        if credential is self._held:
            self._read_at = self._clock.monotonic() - _FILE_FRESH_SECONDS
        return True

    def _read(self, held: Credential | None) -> Credential:
        try:
            token, problem = self._path.read_text().strip(), "empty"
        except (OSError, UnicodeDecodeError) as error:
            token, problem = "", str(error)
        if token and (held is None or token != held.token):
            return Credential(token)
        if held is None:
            raise ConfigurationError(f"token file {self._path}: {problem}; mount or write a token")
        return held  # unchanged, or mid-rotation: the one we hold is good for a while


class PluginCredentials:
    """What a kubeconfig's exec plugin or auth provider prints; `run` runs it.

    Kept until shortly before its end when that is known, else for five minutes; two requests never run it twice.
    """

    def __init__(self, run: Callable[[], Awaitable[Credential]], clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: Credential | None = None
        self._fresh_until = 0.0

    async def current(self) -> Credential:
        """The plugin's credential. Raises ConfigurationError when the plugin gives none and what is held has ended."""
        if self._held is not None and self._fresh():
            return self._held
        async with self._lock:
            if self._held is None or not self._fresh():
                self._held = await self._renewed(self._held)
            return self._held

    def refused(self, credential: Credential) -> bool:
        """True: the next one comes from a new run of the plugin, unless one was run since `credential` was shown."""
        if credential is self._held:
            self._fresh_until = 0.0
        return True

    async def _renewed(self, held: Credential | None) -> Credential:
        try:
            found = await self._run()
        except (ConfigurationError, Unavailable) as error:
            if held is None or self._ended(held):
                raise
            import structlog  # seldom said, and a tenth of what a command of a shell takes to start

            structlog.get_logger(__name__).warning("credentials could not be renewed", error=str(error))
            self._fresh_until = self._clock.monotonic() + _LEAST_FRESH_SECONDS
            return held
        self._fresh_until = self._clock.monotonic() + self._fresh_seconds(found)
        return found

    def _fresh(self) -> bool:
        return self._clock.monotonic() < self._fresh_until

    def _ended(self, credential: Credential) -> bool:
        return credential.expires_at is None or credential.expires_at <= self._clock.now()

    def _fresh_seconds(self, credential: Credential) -> float:
        if credential.expires_at is None:
            return _PLUGIN_FRESH_SECONDS
        left = (credential.expires_at - self._clock.now()).total_seconds()
        return max(left - min(_MARGIN_SECONDS, left / 2), _LEAST_FRESH_SECONDS)


def _run_of(plugin: ExecPlugin | AuthProvider) -> Callable[[], Awaitable[Credential]]:
    if isinstance(plugin, ExecPlugin):
        from controller.runtime.client.exec_plugin import run_plugin

        return lambda: run_plugin(plugin)
    from controller.runtime.client.auth_provider import ask_provider

    return lambda: ask_provider(plugin)

"""Credentials are fresh enough, one that was refused is had anew, and nobody asks more often than needed."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from controller.runtime.client.configuration import ClientConfiguration, ConfigurationError, ExecPlugin
from controller.runtime.client.credential import Credential
from controller.runtime.client.credentials import (
    FileToken,
    FixedToken,
    PluginCredentials,
    credentials_of,
)
from tests.fakes.clock import FakeClock

PLUGIN = ExecPlugin("client.authentication.k8s.io/v1", "aws")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


def rotate(path: Path, token: str) -> None:
    path.write_text(token)


@pytest.mark.parametrize(
    ("configuration", "want"),
    [
        pytest.param(ClientConfiguration("https://a"), FixedToken, id="nothing given"),
        pytest.param(ClientConfiguration("https://a", token="t", plugin=PLUGIN), FixedToken, id="a token wins"),
        pytest.param(ClientConfiguration("https://a", plugin=PLUGIN), PluginCredentials, id="a plugin"),
        pytest.param(ClientConfiguration("https://a", token="t", token_file=Path("f")), FileToken, id="a file wins"),
    ],
)
def test_the_source_follows_the_configuration(configuration: ClientConfiguration, want: type[object]) -> None:
    assert isinstance(credentials_of(configuration, FakeClock()), want)


async def test_a_file_is_read_again_after_a_minute(token_file: Path) -> None:
    clock = FakeClock()
    source = FileToken(token_file, clock)
    assert (await source.current()).token == "one"
    rotate(token_file, "two")
    clock.tick(59)
    assert (await source.current()).token == "one"
    clock.tick(1)
    assert (await source.current()).token == "two"


async def test_an_unchanged_file_is_the_same_credential(token_file: Path) -> None:
    clock = FakeClock()
    source = FileToken(token_file, clock)
    before = await source.current()
    clock.tick(100)
    assert await source.current() is before


async def test_a_refused_token_is_read_at_once(token_file: Path) -> None:
    source = FileToken(token_file, FakeClock())
    refused = await source.current()
    rotate(token_file, "two")
    assert source.refused(refused)
    assert (await source.current()).token == "two"


@pytest.mark.parametrize(
    "spoil",
    [pytest.param(Path.unlink, id="removed"), pytest.param(lambda path: rotate(path, ""), id="emptied")],
)
async def test_a_file_in_rotation_leaves_the_last_token(token_file: Path, spoil: Callable[[Path], None]) -> None:
    clock = FakeClock()
    source = FileToken(token_file, clock)
    await source.current()
    spoil(token_file)
    clock.tick(100)
    assert (await source.current()).token == "one"


async def test_a_file_that_never_was_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=str(tmp_path / "none")):
        await FileToken(tmp_path / "none", FakeClock()).current()


class Plugin:
    """Prints t1, t2, ... that live for `lifetime` seconds (None: not said); `broken`: fails."""

    def __init__(self, clock: FakeClock, lifetime: float | None = None) -> None:
        self.clock, self.lifetime = clock, lifetime
        self.runs = 0
        self.broken = False

    async def run(self) -> Credential:
        await asyncio.sleep(0)
        self.runs += 1
        if self.broken:
            raise ConfigurationError("broken")
        end = None if self.lifetime is None else self.clock.now() + timedelta(seconds=self.lifetime)
        return Credential(f"t{self.runs}", expires_at=end)


@pytest.mark.parametrize(
    ("lifetime", "fresh_seconds"),
    [
        pytest.param(None, 300, id="five minutes when its end is not known"),
        pytest.param(3600, 3570, id="until half a minute before its end"),
        pytest.param(20, 10, id="half of a short life"),
        pytest.param(-10, 5, id="five seconds when it has ended already"),
    ],
)
async def test_a_plugins_credential_is_kept(lifetime: float | None, fresh_seconds: float) -> None:
    clock = FakeClock()
    source = PluginCredentials(Plugin(clock, lifetime).run, clock)
    assert (await source.current()).token == "t1"
    clock.tick(fresh_seconds - 1)
    assert (await source.current()).token == "t1"
    clock.tick(1)
    assert (await source.current()).token == "t2"


async def test_many_requests_run_the_plugin_once_and_again_once_when_refused() -> None:
    clock = FakeClock()
    plugin = Plugin(clock)
    source = PluginCredentials(plugin.run, clock)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(source.current()) for _ in range(10)]
    first = asked[0].result()
    for _ in range(10):
        assert source.refused(first)
        assert (await source.current()).token == "t2"
    assert plugin.runs == 2


async def test_a_plugin_that_fails_leaves_what_has_not_ended() -> None:
    clock = FakeClock()
    plugin = Plugin(clock, lifetime=100)
    source = PluginCredentials(plugin.run, clock)
    await source.current()
    plugin.broken = True
    clock.tick(80)
    assert (await source.current()).token == "t1"
    assert (await source.current()).token == "t1"
    assert plugin.runs == 2  # not again within five seconds
    clock.tick(20)
    with pytest.raises(ConfigurationError, match="broken"):
        await source.current()


async def test_a_plugin_that_never_worked_is_an_error() -> None:
    clock = FakeClock()
    plugin = Plugin(clock)
    plugin.broken = True
    with pytest.raises(ConfigurationError, match="broken"):
        await PluginCredentials(plugin.run, clock).current()

from pathlib import Path

import pytest

from controller.agent.kubelet_plugins.socket_server import SocketServer, identity, listened_on


async def test_a_socket_is_ours_until_somebody_clears_it_away(root: Path) -> None:
    path = root / "made" / "a.sock"
    async with SocketServer(path, []) as server:
        assert (server.intact(), server.gone(), listened_on(path)) == (True, False, True)
        path.unlink()
        assert (server.intact(), server.gone(), listened_on(path)) == (False, True, False)
    assert not server.intact()


async def test_anothers_socket_at_its_path_is_left_alone_while_somebody_listens(root: Path) -> None:
    path = root / "a.sock"
    async with SocketServer(path, []) as older:
        async with SocketServer(path, []) as newer:
            assert (older.intact(), older.gone()) == (False, False)
            assert newer.intact()
        assert older.gone()


async def test_what_is_left_of_a_killed_process_is_replaced(root: Path) -> None:
    path = root / "a.sock"
    async with SocketServer(path, []):
        kept = path.with_suffix(".old")
        path.rename(kept)
    kept.rename(path)
    before = identity(path)
    assert not listened_on(path)
    async with SocketServer(path, []):
        assert listened_on(path)
        assert identity(path) != before


async def test_a_path_that_cannot_be_is_an_error_and_nothing_stays(root: Path) -> None:
    for path in (root / ("x" * 120), root / "file" / "a.sock"):
        (root / "file").write_text("")
        with pytest.raises(OSError, match=r"path|directory|exists"):
            async with SocketServer(path, []):
                raise AssertionError("entered")
    assert identity(root / "nothing") is None

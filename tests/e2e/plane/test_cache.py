import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from e2e.plane.cache import build_lock, cache_root, program_path, version_key
from e2e.plane.errors import LockTimeout
from e2e.plane.programs import FAMILIES, KSERVE

ETCD = FAMILIES[0]


def test_the_cache_is_where_xdg_says(tmp_path: Path) -> None:
    assert cache_root({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "aim-gpu-sharing"


@pytest.mark.parametrize("value", ["", "relative/cache"], ids=["unset", "a relative path is ignored"])
def test_the_cache_is_in_the_home_folder_otherwise(value: str) -> None:
    assert cache_root({"XDG_CACHE_HOME": value}) == Path.home() / ".cache" / "aim-gpu-sharing"


def test_a_program_lies_under_family_and_version_key(tmp_path: Path) -> None:
    path = program_path(tmp_path, ETCD, ETCD.programs[0])

    assert path == tmp_path / "etcd" / version_key(ETCD) / "etcd"
    assert version_key(ETCD).startswith("3.6.16-")


def test_the_key_follows_flags_platform_and_packages() -> None:
    other_package = dataclasses.replace(ETCD.programs[0], package="example.com/other")
    keys = {
        version_key(ETCD),
        version_key(dataclasses.replace(ETCD, ldflags="-s")),
        version_key(dataclasses.replace(ETCD, tags=("no_tracing",))),
        version_key(dataclasses.replace(ETCD, programs=(other_package,))),
        version_key(ETCD, on="linux-sparc"),
    }

    assert len(keys) == 5
    assert version_key(ETCD) == version_key(ETCD)


def test_the_key_follows_what_is_copied_beside_the_programs() -> None:
    assert KSERVE.manifests is not None
    fewer = dataclasses.replace(KSERVE.manifests, files=KSERVE.manifests.files[1:])

    assert version_key(KSERVE) != version_key(dataclasses.replace(KSERVE, manifests=fewer))
    assert version_key(KSERVE) != version_key(dataclasses.replace(KSERVE, manifests=None))


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_the_key_follows_the_locked_dependencies_and_the_source(name: str, tmp_path: Path) -> None:
    shutil.copytree(ETCD.module, tmp_path / "etcd")
    (tmp_path / "etcd" / "main.go").write_text("package main\n")
    copied = dataclasses.replace(ETCD, parent=tmp_path)
    before = version_key(copied)
    with (tmp_path / "etcd" / name).open("a") as file:
        file.write("// changed\n")
    assert version_key(copied) != before


def test_a_held_lock_is_waited_for_with_a_sentence_and_then_refused(tmp_path: Path) -> None:
    sentences: list[str] = []
    lock = tmp_path / "a.lock"

    with (
        build_lock(lock),
        pytest.raises(LockTimeout, match="wait for that build, or end it"),
        build_lock(lock, limit_seconds=0.3, waiting=sentences.append),
    ):
        pytest.fail("both have the lock")

    assert "another build (process " in sentences[0]


def test_a_lock_file_that_was_left_behind_stops_nobody(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("4194999")

    with build_lock(lock, limit_seconds=0):
        assert lock.read_text() == str(os.getpid())

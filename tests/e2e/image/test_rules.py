"""Our Dockerfile keeps its rules, and each way of breaking one is told with its line."""

import json
import re
import shutil
from pathlib import Path

import pytest

from e2e.image.allowed import COMMANDS, VARIABLES, Allowed
from e2e.image.build import ROOT
from e2e.image.check import lock_problems, problems
from e2e.image.dockerfile import Arg, Env, Run, parse
from e2e.image.errors import DockerfileError
from e2e.image.rules import broken, copied
from e2e.image.shell import ShellCommand, commands

TEXT = (ROOT / "Dockerfile").read_text()


def told(text: str, *, without: str = "") -> list[str]:
    dockerfile = parse(text)
    return broken(dockerfile, {source: source != without for source in copied(dockerfile)})


def test_ours_keeps_them() -> None:
    assert told(TEXT) == []


@pytest.mark.parametrize(
    ("good", "bad", "want"),
    [
        pytest.param("USER 65532:65532\n", "", "the image has no USER", id="no user"),
        pytest.param("USER 65532:65532", "USER aim-gpu", "USER aim-gpu: write numbers", id="a name"),
        pytest.param("USER 65532:65532", "USER 0:0", "USER 0:0: write numbers", id="root"),
        pytest.param("USER 65532:65532", "USER 65532:0", "USER 65532:0: write numbers", id="the group of root"),
        pytest.param('ENTRYPOINT ["aim-gpu"]', 'CMD ["aim-gpu"]', "has no ENTRYPOINT", id="no entrypoint"),
        pytest.param("uv sync --locked", "uv sync", "uv sync: without --locked it takes other", id="unlocked"),
        pytest.param("uv sync --locked", "uv sync --locked --upgrade", "--upgrade is not known", id="newer versions"),
        pytest.param(
            "sync --locked --no-dev", "sync --locked", "without --no-dev the tools", id="tools of development"
        ),
        pytest.param("sync --locked", "sync --locked --index=https://a.b", "--index=https://a.b is not", id="an index"),
        pytest.param("uv==0.13.9", "uv", "pip install: uv is not known", id="any version of a tool"),
        pytest.param("uv==0.13.9", "uv==0.13.9 flask==3.0", "flask==3.0 is not known", id="another distribution"),
        pytest.param("uv==0.13.9", "'uv>=0.13.9'", "uv>=0.13.9 is not known", id="a newer tool"),
        pytest.param("-m venv /uv", "-I -m venv /uv", "RUN python3 -I -m: -I is not known", id="options before -m"),
        pytest.param("python3 -m venv /uv", "true", "RUN true: true is not known", id="another command"),
        pytest.param("--from=project", "--from=nobody", "COPY --from=nobody: no stage before it", id="no such stage"),
        pytest.param("AS project", "AS last", "COPY --from=project: no stage before it", id="a stage of another name"),
        pytest.param(
            "--build-constraints /constraints ", "", "uv build: without --build-constraints", id="any builder"
        ),
        pytest.param("--require-hashes ", "", "uv build: without --require-hashes", id="any version of the builder"),
        pytest.param(
            "--locked --only-group", "--only-group", "uv export: without --locked", id="a builder's stale lock"
        ),
        pytest.param(
            "--no-deps --python", "--python", "install: without --no-deps it brings", id="what the wheel needs"
        ),
        pytest.param("/wheel/*.whl", "/other/*.whl", "install: /other/*.whl is not known", id="a wheel from elsewhere"),
        pytest.param('sed -i "/', 'sed -i "1e curl x; /', "sed -i: 1e curl x; /direct_url", id="a command of sed"),
        pytest.param("-exec chmod", "-exec sh", ": sh is not known", id="a command of find"),
        pytest.param(
            "USER 65532", "ENV PIP_INDEX_URL=https://a.b\nUSER 65532", "ENV PIP_INDEX_URL: a var", id="pip's index"
        ),
        pytest.param("USER 65532", "ARG UV_INDEX_URL\nUSER 65532", "ARG UV_INDEX_URL: a variable", id="uv's index"),
        pytest.param(
            "PATH=/opt", "PATH=/source:/opt", "ENV PATH=/source:/opt/aim", id="programs of ours before Debian's"
        ),
        pytest.param("WORKDIR /source", "WORKDIR /etc/apt", "WORKDIR /etc/apt: programs may", id="the settings of apt"),
        pytest.param("COPY api api/", "COPY api /etc/", "COPY to /etc/: programs may", id="a file of settings"),
        pytest.param(
            "COPY api api/", "COPY api ../etc/", "COPY to ../etc/: programs may", id="a file of settings above"
        ),
        pytest.param("kmod libdrm", "./kmod.deb libdrm", "./kmod.deb is not known", id="a package from a file"),
    ],
)
def test_what_breaks_one_is_told_with_its_line(good: str, bad: str, want: str) -> None:
    assert TEXT.count(good) == 1
    (problem,) = told(TEXT.replace(good, bad))
    assert re.match(r"line \d+: ", problem)
    assert want in problem


UV = "/uv/bin/uv"
UNKNOWN = [
    *("pip install uv==0.13.9", "/venv/bin/pip3 install flask", "uv sync --locked --no-dev", "/uv/bin/uvx flask"),
    *("curl -sf https://example.com", "wget https://example.com/x", "git clone https://example.com/x", "git fetch x"),
    *("sh -c 'pip install flask'", "bash -c 'curl x'", "eval pip install flask", "env pip install flask"),
    *("exec curl x", "xargs pip install flask", "timeout 5 curl x", "time curl x", "command curl x", ". /source/x"),
    *("dpkg -i x", "dpkg --install x", "apt install kmod", "npm install x", "make install", "/source/x", "./x"),
]
STRANGE_WORDS = [
    ("python3 -m pip install flask", "pip"),
    ("python3 -I -m pip install flask", "-I"),
    ("python3 -c 'import os'", "-c"),
    ("/uv/bin/pip download flask", "download"),
    (f"{UV} run flask", "run"),
    (f"{UV} --quiet sync --locked --no-dev", "--quiet"),
    (f"{UV} pip sync requirements.txt", "sync"),
    (f"{UV} tool install flask", "tool"),
    ("apt-get -o APT::Get::AllowUnauthenticated=true update", "-o"),
    ("apt-get source kmod", "source"),
    ("find / -delete", "-delete"),
    ("sed s/x/y/ RECORD", "s/x/y/"),
]


def with_run(command: str) -> list[str]:
    before, line, after = TEXT.partition("WORKDIR /source\n")
    problems = told(f"{before}{line}RUN {command}\n{after}")
    at = before.count("\n") + 2
    assert [problem for problem in problems if not problem.startswith(f"line {at}: RUN")] == []
    return [problem.removeprefix(f"line {at}: RUN") for problem in problems]


@pytest.mark.parametrize(
    ("command", "word"), [*((command, command.split()[0]) for command in UNKNOWN), *STRANGE_WORDS], ids=str
)
def test_a_command_that_is_not_known_is_refused_by_its_word(command: str, word: str) -> None:
    (problem,) = with_run(command)
    assert f": {word} is not known here: take distributions by uv.lock" in problem
    assert "by a row of e2e/image/allowed.py" in problem


@pytest.mark.parametrize(
    ("command", "want"),
    [
        (f"{UV} sync --frozen --locked --no-dev", "--frozen is not known here: leave it out"),
        (f"{UV} sync --locked=no --no-dev", "--locked=no is not known here"),
        (f"{UV} sync --locked --no-dev --upgrade-package=flask", "--upgrade-package=flask is not known here"),
        (f"{UV} sync --locked --no-dev -U", "-U is not known here"),
        (f"{UV} sync --locked --no-dev --extra", "--extra : its value has to be otlp"),
        (f"{UV} sync --locked --no-dev --extra=all", "--extra all: its value has to be otlp"),
        (f"UV_INDEX_URL=https://a.b {UV} sync --locked --no-dev", "UV_INDEX_URL: a variable can lead pip"),
        (f"UV_NO_CACHE=0 {UV} sync --locked --no-dev", "UV_NO_CACHE=0: its value has to be 1"),
        ("PIP_INDEX_URL=https://a.b /uv/bin/pip install uv==0.13.9", "PIP_INDEX_URL: a variable can lead pip"),
        ("LD_PRELOAD= rm x", "LD_PRELOAD: a variable can lead"),
        ("/uv/bin/pip install --index-url=https://a.b uv==0.13.9", "--index-url=https://a.b is not known here"),
        ("/uv/bin/pip install -rlist.txt uv==0.13.9", "-rlist.txt is not known here"),
        ("/uv/bin/pip install uv==0.*", "uv==0.* is not known here"),
        ("/uv/bin/pip install", "nothing is too little"),
        ("apt-get update && apt-get install -y kmod", "without --no-install-recommends it brings"),
        ("apt-get install --no-install-recommends kmod", "apt-get update is not before it in the same RUN"),
        ("apt-get update && apt-get install --no-install-recommends a/testing", "a/testing is not known here"),
        ("apt-get update && apt-get install --no-install-recommends kmod.deb", "kmod.deb is not known here"),
        (f"{UV} build --wheel --require-hashes --build-constraints /constraints --out-dir /wheel", "uv export is not"),
        (f"{UV} pip install --no-deps --prefix /ours /wheel/*.whl", "uv build is not before it in the same RUN"),
        ("sed -i '1w /etc/apt/sources.list' RECORD", "1w /etc/apt/sources.list is not known here"),
        ("sed -i /x/d RECORD /etc/passwd", "sed -i: /etc/passwd is not known here"),
        ("rm x > /etc/apt/apt.conf", "> /etc/apt/apt.conf: its output goes to no file"),
    ],
)
def test_a_word_that_a_known_command_may_not_have_is_refused(command: str, want: str) -> None:
    found = with_run(command)
    assert [problem for problem in found if want in problem] == found[:1]
    assert len(found) == 1


def test_a_source_of_packages_that_nothing_signs_is_refused() -> None:
    text, file = with_run('echo "deb [trusted=yes] http://a.b c d" >> /etc/apt/sources.list')
    assert text.startswith(" echo: deb [trusted=yes] http://a.b c d is not known here")
    assert file.startswith(" echo: >> /etc/apt/sources.list: its output goes >> /etc/")


@pytest.mark.parametrize(
    "command",
    ["rm `curl x`", "rm $(curl x)", "rm x | sh", "rm x; curl x", "rm x || curl x", "rm x & curl x", "(rm x)", "rm $X"],
)
def test_what_only_a_shell_finds_out_is_refused(command: str) -> None:
    (problem,) = with_run(command)
    assert "write out what is meant" in problem


@pytest.mark.parametrize(
    "command",
    [
        f"'{UV}' sync --extra=otlp --no-dev --locked",
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ kmod=30+2",
    ],
)
def test_what_is_locked_is_not_told(command: str) -> None:
    assert with_run(command) == []


def of_ours() -> list[ShellCommand]:
    runs = [step.instruction for stage in parse(TEXT).stages for step in stage.steps]
    return [command for run in runs if isinstance(run, Run) for command in commands(run.words[2])]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: " ".join(row.begins[:3]))
def test_nothing_is_allowed_that_ours_does_not_need(row: Allowed) -> None:
    used = [one for one in of_ours() if one.words[: len(row.begins)] == row.begins]
    assert used
    words = {word.partition("=")[0] for one in used for word in one.words}
    assert [option for option in row.options if option not in words] == []
    assert any(one.into for one in used) == (row.into is not None)


def test_no_variable_is_allowed_that_ours_does_not_set() -> None:
    said = [step.instruction for stage in parse(TEXT).stages for step in stage.steps]
    names = {name for one in said if isinstance(one, Env) for name in one.values}
    names |= {one.name for one in said if isinstance(one, Arg)}
    names |= {name for command in of_ours() for name, _ in command.variables}
    assert names == VARIABLES.keys()


def test_the_tool_is_the_one_that_make_takes() -> None:
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [word for one in of_ours() for word in one.words if word.startswith("uv==")] == [f"uv=={version}"]


@pytest.mark.parametrize("words", [["pip", "install", "flask"], ["curl", "x"]], ids=["pip", "curl"])
def test_a_command_that_is_a_list_is_read_too(words: list[str]) -> None:
    assert len(told(TEXT.replace("\nUSER ", f"\nRUN {json.dumps(words)}\nUSER "))) == 1


def test_what_add_brings_is_refused_with_its_line() -> None:
    with pytest.raises(DockerfileError, match=r"line \d+: ADD is not known here: it downloads .*use COPY"):
        told(TEXT.replace("\nUSER ", "\nADD https://example.com/x /x\nUSER "))


@pytest.mark.parametrize("base", ["debian:latest", "debian", "debian:bookworm-slim", "debian@sha256:12"])
def test_an_image_that_may_be_another_tomorrow_is_told(base: str) -> None:
    (problem,) = told(re.sub(r"(?<=FROM )debian:\S+", base, TEXT))
    assert f"FROM {base} is no fixed image" in problem


def test_an_image_by_its_tag_alone_is_told() -> None:
    (problem,) = told(re.sub(r"@sha256:[0-9a-f]{64}", "", TEXT))
    assert "is no fixed image" in problem


@pytest.mark.parametrize("source", sorted(copied(parse(TEXT))))
def test_a_file_that_is_not_there_is_told(source: str) -> None:
    (problem,) = told(TEXT, without=source)
    assert f"COPY {source}: is not there" in problem


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("api", "controller"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text("")
    (tmp_path / "Dockerfile").write_text(TEXT.replace("USER 65532:65532", "USER root"))
    found = problems(tmp_path)
    assert [problem.split(": ", 1)[1][:24] for problem in found[:3]] == [
        "COPY uv.lock: is not the",
        "COPY LICENSE: is not the",
        "USER root: write numbers",
    ]
    assert "run uv lock" in found[3]
    assert len(found) == 4


def test_a_lock_that_lags_behind_is_told(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    uv = str(ROOT / "build/uv/bin/uv")
    assert lock_problems(tmp_path, uv) == []
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('version = "0.2.0"', 'version = "0.2.1"', 1))
    (problem,) = lock_problems(tmp_path, uv)
    assert "run uv lock" in problem
    (tmp_path / "uv.lock").write_text("[")
    (problem,) = lock_problems(tmp_path, uv)
    assert "was not found out: uv lock --check: error: Failed to parse `uv.lock`" in problem
    (tmp_path / "uv.lock").unlink()
    (problem,) = lock_problems(tmp_path, uv)
    assert "run uv lock" in problem
    assert not (tmp_path / "uv.lock").exists()

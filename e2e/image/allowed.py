"""The commands that a RUN of our Dockerfile may hold, each with its options: a table, and the variables beside it.

A command comes in by a row here. Whoever adds one asks: can it bring into the image what neither uv.lock nor Debian's
signature vouches for, or carry out a text that this table does not read?
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_PATH: Final = r"/[\w./-]+"


@dataclass(frozen=True, slots=True)
class Allowed:
    """One command. Patterns are those of `re`, and hold for a whole word.

    `begins`: its first words. `options`: those it may have, with the pattern of a value; None: it takes none. `needed`:
    those it must have, with what would be without. `operands`: a pattern for each other word in turn, the last of them
    for all that follow. `after`: the command that has to be before it in the same RUN, and why. `into`: a pattern of
    the file that its output may go to, with its arrow.
    """

    begins: tuple[str, ...]
    options: Mapping[str, str | None] = field(default_factory=dict)
    needed: Mapping[str, str] = field(default_factory=dict)
    operands: tuple[str, ...] = ()
    after: tuple[str, str] | None = None
    into: str | None = None


COMMANDS: Final = (
    Allowed(("apt-get", "update")),
    Allowed(
        ("apt-get", "install"),
        options={"-y": None, "--no-install-recommends": None},
        needed={"--no-install-recommends": "it brings what nobody asked for"},
        operands=(r"(?!.*\.deb$)[a-z0-9][a-z0-9+.-]*[a-z0-9+](=[\w.+~:-]+)?",),
        after=("apt-get update", "else lists of another day are taken"),
    ),
    Allowed(
        ("/uv/bin/pip", "install"), {"--no-cache-dir": None, "--disable-pip-version-check": None}, {}, (r"uv==[\d.]+",)
    ),
    Allowed(("python3", "-m", "venv"), operands=("/uv",)),
    Allowed(
        ("python3", "-m", "compileall"),
        options={"-q": None, "-f": None, "--invalidation-mode": "unchecked-hash", "-s": _PATH, "-p": _PATH},
        operands=(_PATH,),
    ),
    Allowed(
        ("/uv/bin/uv", "sync"),
        options={"--locked": None, "--no-dev": None, "--no-install-project": None, "--extra": "otlp"},
        needed={
            "--locked": "it takes other versions than uv.lock has, or a lock that nobody compared",
            "--no-dev": "the tools of development come with it",
        },
    ),
    Allowed(
        ("/uv/bin/uv", "export"),
        options={"--quiet": None, "--locked": None, "--only-group": "build", "--output-file": "/constraints"},
        needed={
            "--locked": "it takes other versions than uv.lock has",
            "--only-group": "what builds is not in what runs",
            "--output-file": "uv build has to find it",
        },
    ),
    Allowed(
        ("/uv/bin/uv", "build"),
        options={
            **dict.fromkeys(("--quiet", "--wheel", "--require-hashes")),
            "--build-constraints": "/constraints",
            "--out-dir": "/wheel",
        },
        needed={
            "--wheel": "sources would be packed beside it",
            "--require-hashes": "it takes any version of what builds",
            "--build-constraints": "it takes any version of what builds",
            "--out-dir": "the wheel would lie among the sources",
        },
        after=("/uv/bin/uv export", "else /constraints is not what uv.lock has"),
    ),
    Allowed(
        ("/uv/bin/uv", "pip", "install"),
        options={"--no-deps": None, "--python": "/opt/aim-gpu/bin/python", "--prefix": "/ours"},
        needed={"--no-deps": "it brings what the wheel needs in any version"},
        operands=(r"/wheel/\*\.whl",),
        after=("/uv/bin/uv build", "else the wheel is from elsewhere"),
    ),
    Allowed(("cd",), operands=(r"/[\w./*-]+",)),
    Allowed(
        ("echo",),
        operands=(r"aim-gpu:x:65532:(65532::/nonexistent:/usr/sbin/nologin)?",),
        into=">> /etc/(passwd|group)",
    ),
    Allowed(("find", "/", "-xdev", "-type", "f", "-perm", "/6000", "-exec", "chmod", "a-s", "{}", "+")),
    Allowed(("rm",), {"-rf": None}, {}, (r"[\w./*-]+",)),
    # texts of sed can write files and run commands: nothing but the deletion of lines is read here
    Allowed(("sed", "-i"), operands=(r"/[\w.]+/d(; /[\w.]+/d)*", "RECORD")),
)

_SEARCHED: Final = "/opt/aim-gpu/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "DEBIAN_FRONTEND": "noninteractive",
        "PATH": re.escape(_SEARCHED),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "SOURCE_DATE_EPOCH": r"\d+",
        "UV_LINK_MODE": "copy",
        "UV_NO_CACHE": "1",
        "UV_PROJECT_ENVIRONMENT": "/opt/aim-gpu",
        "UV_PYTHON": "/usr/bin/python3",
    }
)
"""What ENV, ARG and a command may set, with patterns of the values: others can lead pip, uv and apt elsewhere."""
WORKDIRS: Final = frozenset({"/source"})
"""Where WORKDIR may lead: what COPY takes from the context lands below, and no program reads its settings there."""

"""Builds the stub: `libamd_smi.so` with every symbol of the installed wrapper, those of `calls.c` answered from a node."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.stubs.amdsmi.wrapper import header, load_wrapper, symbols, wrapper_file

_HERE = Path(__file__).parent
_IMPLEMENTED = re.compile(r"^unsigned (amdsmi_\w+)\(", re.MULTILINE)
_NOT_SUPPORTED = 2
_FLAGS = ("-std=gnu11", "-O0", "-Wall", "-Wextra", "-Werror", "-Wno-address-of-packed-member", "-shared", "-fPIC")


def compiler() -> str | None:
    """The C compiler on PATH, None when there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def implemented() -> frozenset[str]:
    """The calls that have a node behind them."""
    return frozenset(_IMPLEMENTED.findall((_HERE / "calls.c").read_text()))


def build(rocm: Path, *, without: frozenset[str] = frozenset()) -> Path:
    """Build `<rocm>/lib/libamd_smi.so`. `without`: symbols to leave out, as a library of another version does."""
    cc = compiler()
    assert cc is not None, "look for a compiler first"
    path = wrapper_file()
    calls = (_HERE / "calls.c").read_text()
    rest = sorted(symbols(path.read_text()) - implemented() - without)
    (rocm / "lib").mkdir(parents=True, exist_ok=True)
    (rocm / "amdsmi_types.h").write_text(header(load_wrapper(path), calls))
    (rocm / "rest.c").write_text("".join(f"unsigned {name}(void) {{ return {_NOT_SUPPORTED}; }}\n" for name in rest))
    library = rocm / "lib" / "libamd_smi.so"
    sources = [_HERE / "calls.c", _HERE / "node.c", rocm / "rest.c"]
    subprocess.run(
        [cc, *_FLAGS, f"-I{_HERE}", f"-I{rocm}", *map(str, sources), "-o", str(library)],
        check=True,
        capture_output=True,
        text=True,
    )
    return library

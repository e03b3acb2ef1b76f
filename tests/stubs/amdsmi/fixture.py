"""The stub and the real package over it, as fixtures. Modules that use them carry the marker `needs_cc`."""

import ctypes
import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.agent.amdsmi_backend import AmdsmiBackend, Limits
from controller.agent.library_worker import THREAD_NAME
from controller.agent.modprobe import Outcome
from tests.stubs.amdsmi.library import build, compiler
from tests.stubs.amdsmi.node import StubFolder, StubNode

OWN_PID = 1000
_IN_MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class LoadedStub:
    """The built library and the package that has it loaded."""

    rocm: Path
    library: Path
    amdsmi: Any


@dataclass
class StubModprobe:
    """`modprobe` on the stub's node. `arguments` are those of each run; `outcomes` replace the first results."""

    library: Path
    arguments: list[tuple[str, ...]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self, arguments: tuple[str, ...]) -> Outcome:
        self.arguments.append(arguments)
        if self.outcomes:
            return self.outcomes.pop(0)
        status = ctypes.CDLL(str(self.library)).stub_modprobe(0 if "-r" in arguments else 1)
        return Outcome(status, "modprobe: FATAL: Module amdgpu is in use." if status else "")


@dataclass
class AmdsmiStub:
    """One test's node behind the package."""

    loaded: LoadedStub
    folder: StubFolder
    root: Path
    modprobe: StubModprobe
    _open: list[AmdsmiBackend] = field(default_factory=list)

    @property
    def amdsmi(self) -> Any:
        return self.loaded.amdsmi

    def backend(
        self, node: StubNode, *, root: Path | None = None, limits: Limits | None = None, amdsmi: Any = None
    ) -> AmdsmiBackend:
        """A backend over that node. `amdsmi`: another release of the package."""
        self.folder.write(node)
        return self.opened(
            AmdsmiBackend(amdsmi or self.amdsmi, root=root, modprobe=self.modprobe, limits=limits, pid=OWN_PID)
        )

    def opened(self, backend: AmdsmiBackend) -> AmdsmiBackend:
        """The backend, closed when the test ends."""
        self._open.append(backend)
        return backend

    def close(self) -> None:
        """End what hangs, and wait for it: the library has one node, which is the next test's then."""
        self.folder.release()
        for backend in self._open:
            backend.close()
        for thread in threading.enumerate():
            if thread.name == THREAD_NAME:
                thread.join(60)
                assert not thread.is_alive(), (
                    "a call into the stub still runs: it would write into the next test's node"
                )


@pytest.fixture(scope="session")
def loaded_stub(tmp_path_factory: pytest.TempPathFactory) -> LoadedStub:
    """The library built once, and the package imported over it; nobody else's import finds either."""
    if compiler() is None:
        pytest.skip("needs_cc: no C compiler on PATH to build the stub of libamd_smi.so: install gcc or clang")
    rocm = tmp_path_factory.mktemp("rocm")
    library = build(rocm)
    before = {name: os.environ.pop(name, None) for name in ("ROCM_HOME", "ROCM_PATH")}
    os.environ["ROCM_PATH"] = str(rocm)
    try:
        amdsmi = importlib.import_module("amdsmi")
    finally:
        os.environ.pop("ROCM_PATH")
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in [name for name in sys.modules if name.partition(".")[0] == "amdsmi"]:
            del sys.modules[name]
    return LoadedStub(rocm, library, amdsmi)


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder in memory where the host has such: a node's tree is hundreds of small files, written again and again."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def amdsmi_stub(loaded_stub: LoadedStub, memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AmdsmiStub]:
    folder = memory_path / "amdsmi-stub"
    folder.mkdir()
    monkeypatch.setenv("AMDSMI_STUB", str(folder))
    stub = AmdsmiStub(loaded_stub, StubFolder(folder), memory_path / "sys", StubModprobe(loaded_stub.library))
    yield stub
    stub.close()

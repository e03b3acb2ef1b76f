"""What the installed package's wrapper expects of the library: its symbols, structures and constants, as C."""

import ctypes
import importlib.util
import re
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

_SYMBOL = re.compile(r"_libraries\['libamd_smi\.so'\]\.(\w+)")
_TYPE_IN_USE = re.compile(r"\b(amdsmi_\w+_t)\b")

_INTEGERS = {
    "char": ctypes.c_char,
    "uint8_t": ctypes.c_uint8,
    "uint16_t": ctypes.c_uint16,
    "uint32_t": ctypes.c_uint32,
    "uint64_t": ctypes.c_uint64,
    "int8_t": ctypes.c_int8,
    "int16_t": ctypes.c_int16,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
}


def wrapper_file() -> Path:
    """The wrapper, found without importing the package: that would load the library."""
    spec: ModuleSpec | None = importlib.util.find_spec("amdsmi")
    assert spec is not None, "amdsmi is locked as a dependency"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "amdsmi_wrapper.py"


def symbols(text: str) -> frozenset[str]:
    """Every name that the wrapper takes from the library while it is imported."""
    return frozenset(_SYMBOL.findall(text))


def load_wrapper(path: Path) -> ModuleType:
    """The wrapper's module over a library that has every symbol and nothing behind it."""

    class AnyLibrary:
        def __getattr__(self, name: str) -> Any:
            return mock.Mock()

    spec = importlib.util.spec_from_file_location("amdsmi_wrapper_for_its_types", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(ctypes, "CDLL", return_value=AnyLibrary()):
        spec.loader.exec_module(module)
    return module


def header(wrapper: ModuleType, source: str) -> str:
    """Types that `source` names and all constants. Sizes and offsets are asserted in C against ctypes' own."""
    written: dict[str, str] = {}
    aliases = []
    for name in sorted(set(_TYPE_IN_USE.findall(source))):
        structure = getattr(wrapper, name, None)
        if isinstance(structure, type) and issubclass(structure, ctypes.Structure | ctypes.Union):
            aliases += [f"typedef {_define(structure, written)} {name};"] if structure.__name__ != name else []
    constants = [
        f"#define {name} {value}u"
        for name, value in sorted(vars(wrapper).items())
        if name.startswith("AMDSMI_") and isinstance(value, int)
    ]
    return "\n".join(["#include <stddef.h>", "#include <stdint.h>", *constants, *written.values(), *aliases, ""])


def _define(structure: type[Any], written: dict[str, str]) -> str:
    name = f"ctypes_{structure.__name__}"
    if name not in written:
        lines = [_field(structure, field, written) for field in structure._fields_]
        kind = "union" if issubclass(structure, ctypes.Union) else "struct"
        asserts = [f"_Static_assert(sizeof({name}) == {ctypes.sizeof(structure)}, {_quoted(name)});"]
        asserts += [
            f"_Static_assert(offsetof({name}, {field[0]}) == {getattr(structure, field[0]).offset}, {_quoted(field[0])});"
            for field in structure._fields_
            if len(field) == 2
        ]
        written[name] = "\n".join(
            [f"typedef {kind} __attribute__((packed)) {{", *lines, f"}} {name};", *asserts],
        )
    return name


def _field(owner: type[Any], field: tuple[Any, ...], written: dict[str, str]) -> str:
    name, kind, *bits = field
    sizes = ""
    while hasattr(kind, "_length_"):
        sizes += f"[{kind._length_}]"
        kind = kind._type_
    return f"    {_type_name(kind, written)} {name}{sizes}{f' : {bits[0]}' if bits else ''};"


def _type_name(kind: type[Any], written: dict[str, str]) -> str:
    if issubclass(kind, ctypes.Structure | ctypes.Union):
        return _define(kind, written)
    for name, integer in _INTEGERS.items():
        if kind is integer:
            return name
    assert hasattr(kind, "contents"), f"{kind}: neither a number nor a pointer"
    return "void *"


def _quoted(text: str) -> str:
    return f'"{text}"'

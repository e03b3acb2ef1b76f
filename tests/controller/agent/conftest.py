"""The stub of AMD's library, for the tests of this room that carry `needs_cc`, and a quick place for trees of files."""

from tests.stubs.amdsmi.fixture import amdsmi_stub, loaded_stub, memory_path

__all__ = ["amdsmi_stub", "loaded_stub", "memory_path"]

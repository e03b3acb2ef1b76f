"""The stub of AMD's library, for the tests of this room that carry `needs_cc`."""

from tests.stubs.amdsmi.fixture import amdsmi_stub, loaded_stub

__all__ = ["amdsmi_stub", "loaded_stub"]

"""What is known to go wrong with AMD's library and package, a name each. Every one has its row in `test_traps`."""

from collections.abc import Callable

TRAPS = (
    # Loading
    "without a library the import prints two lines and raises KeyError",
    "a library of another version raises AttributeError at import",
    "newer releases defer what was wrong with the library to the first call",
    "a library without a driver fails to initialise with 34 or 18",
    # Identity
    "handles are invalid after a change",
    "a library left initialised keeps devices open",
    "the partition's number is in the function of its PCI address",
    "unique ids are per partition only since ROCm 7.0",
    "the partition's number may be missing from the KFD facts",
    "an error of the partition profile is swallowed and reads as partition 0",
    "device nodes may be told as N/A",
    # Modes
    "profile_config fails with UnboundLocalError without profiles",
    "num_partitions is the largest 32-bit number in SPX",
    "NPS8 exists as an enum only",
    "the card reports modes that its driver has not got",
    "enums are required: a text is a parameter error",
    "a device does not support profile indices",
    "a release has no call to set a memory mode by its new name",
    "ROCm 10 deprecates the calls that name compute and memory partitions",
    "a virtual function of a guest can be read and not set",
    # Memory mode and reload
    "before ROCm 7.0 setting the memory mode reloads by itself",
    "ROCm 10 has no call to reload",
    "the reload is not supported here",
    "compute first makes the reload fail",
    "SPX from NPS4 is unavailable",
    "a request for a memory mode cannot be taken back",
    # Figures
    "whole-GPU metrics exist on partition 0 only",
    "busy shares have N/A holes",
    "a partition tells the whole GPU's memory",
    "63 of 64 partitions are there",
    "the agent itself has the devices open",
    "a process may have no name",
    "processes with a KFD context alone",
)

_ROWS: dict[str, Callable[..., object]] = {}


def trap(*names: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Marks a test as the row of these traps."""

    def note(test: Callable[..., object]) -> Callable[..., object]:
        _ROWS.update(dict.fromkeys(names, test))
        return test

    return note


def rows() -> frozenset[str]:
    """The traps that have a row, once their tests are imported."""
    return frozenset(_ROWS)

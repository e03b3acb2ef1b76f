"""What can go wrong with a local control plane, by what the caller would do about it.

```
PlaneError
├── ToolchainError       no usable Go, and none could be installed
├── BuildError           a program did not build; carries the compiler's last lines
├── LockTimeout          another build holds the cache for too long
├── NodeUnavailable      no real node can run on this machine, and why
├── PackagesUnavailable  there is no apt to take the distribution's packages from
├── ComponentDied        a process of the plane ended on its own; carries its log's tail
├── NotReady             nothing died, but what was awaited did not happen in time
└── AdminError           the API server refused a request of the harness
```
"""


class PlaneError(Exception):
    """Something about the local control plane failed; the text says what and what helps."""


class ToolchainError(PlaneError):
    """There is no Go toolchain that is new enough, and none could be installed."""


class BuildError(PlaneError):
    """A program of the plane could not be built."""


class LockTimeout(PlaneError):
    """Another process held the build lock longer than the caller wants to wait."""


class NodeUnavailable(PlaneError):
    """This machine, this user or its tools cannot run a real node."""


class PackagesUnavailable(PlaneError):
    """This is neither Debian nor Ubuntu: packages of the distribution cannot be had."""


class ComponentDied(PlaneError):
    """A process of the plane has ended without being asked to."""


class NotReady(PlaneError):
    """A condition did not become true within its limit."""


class AdminError(PlaneError):
    """The API server answered a request of the harness with an error.

    `status` is the HTTP status, `reason` the API's CamelCase reason ("" when there is none).
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason

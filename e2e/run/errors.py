"""What can go wrong with a run, by what the caller would do about it.

```
RunError
├── InstallError    kubectl refused a manifest; carries what it said
├── ProcessDied     the operator or an agent ended on its own; carries its log's tail
├── NotListening    a process runs and did not become ready in time; carries its log's tail
├── NotServed       a service runs and the gateway does not answer for it
└── ExampleError    an example cannot be read
```
"""


class RunError(Exception):
    """The run cannot go on; the text says what happened and what helps."""


class InstallError(RunError):
    """A manifest was not applied, or a kind not served in time."""


class ProcessDied(RunError):
    """The operator or an agent has ended without being asked to."""


class NotListening(RunError):
    """A process was started and did not become ready within its limit."""


class ExampleError(RunError):
    """An example is not what a run can apply."""

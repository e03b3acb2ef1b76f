"""Every metric of every process: ours by its table, the runtime's by what each process is made of."""

from dataclasses import replace
from typing import Final

from controller.runtime import instruments as runtime
from controller.runtime.instrument import Instrument
from controller.telemetry import instruments
from controller.telemetry.instruments import AGENT, EXPORTER, GATEWAY, OPERATOR, UI

PROCESSES: Final = (OPERATOR, AGENT, GATEWAY, EXPORTER, UI)

_ALL_ASK_THE_API_SERVER: Final = (runtime.API_REQUESTS, runtime.API_REQUEST_SECONDS)
# The gateway's, of what its replicas show each other: with --shards.
_SHOW_CERTIFICATES: Final = (runtime.CERTIFICATE_READS, runtime.CERTIFICATE_READ_ERRORS)

OURS: Final = tuple(value for value in vars(instruments).values() if isinstance(value, Instrument))
"""In the order of the table."""


def _by_runtime(instrument: Instrument) -> tuple[str, ...]:
    if instrument in _ALL_ASK_THE_API_SERVER:
        return PROCESSES
    return (OPERATOR, GATEWAY) if instrument in _SHOW_CERTIFICATES else (OPERATOR,)


RUNTIMES: Final = tuple(replace(one, processes=_by_runtime(one)) for one in runtime.ALL)
"""The runtime's, with the processes that export them."""


def exported_by(process: str) -> dict[str, Instrument]:
    """The instruments of `process` by the name that Prometheus gets. Raises ValueError for no process of ours."""
    if process not in PROCESSES:
        raise ValueError(f"process {process!r}: is none of {', '.join(PROCESSES)}")
    return {one.exported_name: one for one in (*OURS, *RUNTIMES) if process in one.processes}

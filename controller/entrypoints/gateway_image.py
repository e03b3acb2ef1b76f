"""The gateway's own program: what `aim-gpu gateway` becomes when its options are read.

Reading a command line takes packages (typer, and by it pydantic and rich) that a process for months need not carry:
10 MB of its 70. So the command checks the options, and has the kernel replace it, under the same process id, by a
Python that has loaded none of them.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from controller.entrypoints.gateway_options import GatewayOptions

BAD_INPUT = 2
_MODULE = "controller.entrypoints.gateway_image"


def become_gateway(options: GatewayOptions, log_level: str) -> NoReturn:
    """Go on as the gateway; nothing of this process is left but its id, its files and its environment."""
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: the folder it happens to be started in is no place to import from
    os.execv(sys.executable, [sys.executable, "-P", "-m", _MODULE, log_level, options_text(options)])  # noqa: S606


def options_text(options: GatewayOptions) -> str:
    """Options as one argument; they hold no secrets, which are in files."""
    return msgspec.json.encode(options, enc_hook=_plain).decode()


def options_of(text: str) -> GatewayOptions:
    """The options of such an argument. Raises msgspec.ValidationError for another text."""
    return msgspec.json.decode(text, type=GatewayOptions, dec_hook=_path)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _path(kind: type, value: Any) -> Any:
    if kind is not Path:
        raise NotImplementedError(f"{kind}: not read from text")
    return Path(value)


def main() -> None:
    """Run the gateway with the options of the command line; ends with exit code 2 where they cannot be used."""
    # structlog draws tracebacks with rich where it finds it, which is 3 MB; ours are JSON, or plain on a terminal
    sys.modules["rich"] = None  # type: ignore[assignment]
    import uvloop

    from controller.entrypoints.run_gateway import run_gateway
    from controller.runtime.client.configuration import ConfigurationError
    from controller.telemetry.logs import configure_logs

    log_level, text = sys.argv[1:]
    configure_logs(log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_gateway(options_of(text)))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)


if __name__ == "__main__":
    main()

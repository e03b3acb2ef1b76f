import asyncio
import json
import sys
from typing import Final

import structlog

from controller.runtime.logger import Logger

PROGRAM: Final = """
import sys
from controller.runtime.logger import Logger
from controller.telemetry.logs import configure_logs
log = Logger("x").bind(kind="pods")
configure_logs("error", human=False)
log.info("not this")
log.bind(key="a").warning("nor this")
print("structlog" in sys.modules)
log.bind(key="b").error("this", reason="why")
log.info("nor this")
print("structlog" in sys.modules)
"""


async def test_what_writes_is_loaded_and_set_up_with_the_first_message_that_is_written() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, logged = await asyncio.wait_for(process.communicate(), 100)
    assert told.decode().split() == ["False", "True"], logged[-2000:]
    [line] = map(json.loads, logged.splitlines())
    del line["timestamp"]
    assert line == {"event": "this", "level": "error", "kind": "pods", "key": "b", "reason": "why"}


def test_messages_go_where_structlog_is_told_to_send_them() -> None:
    with structlog.testing.capture_logs() as logs:
        Logger(__name__).bind(resource="pods").warning("list failed", failure="gone")
    assert logs == [{"event": "list failed", "log_level": "warning", "resource": "pods", "failure": "gone"}]

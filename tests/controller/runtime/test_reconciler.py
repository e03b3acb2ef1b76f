"""One reconcile: what its logs carry, its span, and what follows from how it ended."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer

from controller.runtime.client.errors import Forbidden
from controller.runtime.controller import Controller
from controller.runtime.controller_statistics import ControllerStatistics
from controller.runtime.reconcile import Request, Result, TerminalError
from controller.telemetry.logs import configure_logs
from tests.fakes.clock import LoopClock

pytestmark = pytest.mark.looptime

A = Request("ns", "a")
Reconcile = Callable[[Request], Awaitable[Any]]
log = structlog.get_logger("test")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("test")
    provider.shutdown()


async def ran(
    reconcile: Reconcile, *requests: Request, seconds: float = 0.001, unconfigured: bool = False, **options: Any
) -> ControllerStatistics:
    """The figures of a controller that was given `requests` (A when none) and `seconds`.

    `unconfigured`: structlog is as it comes, as in programs that set nothing.
    """
    if unconfigured:
        structlog.reset_defaults()
    else:
        configure_logs("info", human=False)  # here and not in a fixture: pytest gives a test's body its own stderr
    ids = map("id-{}".format, count(1))
    controller = Controller("pods", reconcile, clock=LoopClock(), ids=lambda: next(ids), **options)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(controller.run())
        for request in requests or (A,):
            controller.enqueue(request)
        await asyncio.sleep(seconds)
        controller.stop()
    return controller.statistics()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def names(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["controller"], line["object"], line["reconcileID"]


async def test_what_a_reconcile_and_its_child_tasks_log_carries_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    async def child() -> None:
        await asyncio.sleep(0.0001)
        log.info("from a child")

    async def reconcile(request: Request) -> Result:
        log.info("from the function")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())
        return Result()

    await ran(reconcile, A, Request("", "node"), workers=2)
    by_event = [(line["event"], *names(line)) for line in lines(capsys)]
    assert sorted(by_event) == [
        ("from a child", "pods", "node", "id-2"),
        ("from a child", "pods", "ns/a", "id-1"),
        ("from the function", "pods", "node", "id-2"),
        ("from the function", "pods", "ns/a", "id-1"),
    ]


FAILURES = [
    pytest.param(OSError("no route"), ("warning", "reconcile failed"), id="an error"),
    pytest.param(KeyError("spec"), ("error", "reconcile hit a bug"), id="a bug"),
    pytest.param(TerminalError("no such model"), ("error", "reconcile failed for good"), id="a terminal error"),
]


@pytest.mark.parametrize(("failure", "want"), FAILURES)
async def test_failures_are_logged_with_the_names(
    failure: Exception, want: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async def reconcile(request: Request) -> Result:
        raise failure

    await ran(reconcile)
    (line,) = lines(capsys)
    assert ((line["level"], line["event"]), names(line)) == (want, ("pods", "ns/a", "id-1"))
    assert ("Traceback" in line.get("exception", "")) == (not isinstance(failure, TerminalError))


REFUSED = Forbidden(403, "Forbidden", "secrets is forbidden")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(REFUSED, id="an answer of the server"),
        pytest.param(ExceptionGroup("several", [ExceptionGroup("some", [REFUSED])]), id="one in groups"),
    ],
)
async def test_an_answer_of_the_server_is_one_line_that_shows_no_variables(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    async def reconcile(request: Request) -> Result:
        password = "hunter" + "2"
        raise failure from ValueError(password)

    found = await ran(reconcile, unconfigured=True)
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 1
    assert "403 Forbidden: secrets is forbidden" in said
    assert "retry_in_seconds=0.005" in said
    assert "hunter2" not in said
    assert (found.errors, found.panics, found.queue.retries) == (1, 0, 1)


async def test_an_answer_beside_another_failure_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    async def reconcile(request: Request) -> Result:
        raise ExceptionGroup("several", [REFUSED, OSError("no route")])

    await ran(reconcile)
    (line,) = lines(capsys)
    assert "OSError: no route" in line["exception"]


async def test_bugs_are_counted_and_tried_again() -> None:
    outcomes: list[Exception | None] = [KeyError("spec"), OSError("x"), ExceptionGroup("g", [TypeError()]), None]

    async def reconcile(request: Request) -> Result:
        if (failure := outcomes.pop(0)) is not None:
            raise failure
        return Result()

    found = await ran(reconcile, seconds=1)
    assert (found.panics, found.errors, found.successes) == (2, 3, 1)


async def test_a_forgotten_return_is_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    async def reconcile(request: Request) -> None:
        pass

    found = await ran(reconcile)
    assert (found.panics, found.errors) == (1, 1)
    assert "of controller 'pods' returned None: return a Result" in lines(capsys)[0]["exception"]


async def test_an_exit_is_not_kept() -> None:
    async def reconcile(request: Request) -> Result:
        raise BaseExceptionGroup("several", [OSError("x"), SystemExit(3)])

    with pytest.raises(BaseExceptionGroup) as raised:
        await ran(reconcile)
    assert raised.value.subgroup(SystemExit) is not None


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_each_reconcile_is_a_span(exporter: InMemorySpanExporter, tracer: Tracer) -> None:
    async def reconcile(request: Request) -> Result:
        with tracer.start_as_current_span("inner"):
            return Result(requeue_after=0.0004) if request == A else Result()

    await ran(reconcile, Request("", "node"), A, tracer=tracer)
    spans = [span for span in exporter.get_finished_spans() if span.name == "reconcile"]
    assert attributes(spans[0]) == {
        "controller": "pods",
        "namespace": "",
        "name": "node",
        "reconcileID": "id-1",
        "result": "success",
    }
    assert attributes(spans[1])["result"] == "requeue_after"
    inner = exporter.get_finished_spans()[0]
    assert inner.parent is not None
    assert inner.parent.span_id == spans[0].context.span_id
    assert spans[0].status.status_code is StatusCode.UNSET


async def test_a_failed_one_records_its_error(exporter: InMemorySpanExporter, tracer: Tracer) -> None:
    async def reconcile(request: Request) -> Result:
        raise OSError("no route")

    await ran(reconcile, tracer=tracer)
    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "OSError: no route")
    assert attributes(span)["result"] == "error"
    assert [event.name for event in span.events] == ["exception"]

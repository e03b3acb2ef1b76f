"""One reconcile: calls the function, names it in logs and traces, and arranges what follows."""

import asyncio

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode, Tracer
from structlog.contextvars import bind_contextvars

from controller.runtime.client.errors import ApiError
from controller.runtime.controller_statistics import Counts
from controller.runtime.outcome import Outcome, consists_of, ends_process, is_bug, is_terminal, text_of
from controller.runtime.reconcile import ReconcileFunction, Request, Result
from controller.runtime.reconcile_id import IdSource
from controller.runtime.reconcile_timeout import ReconcileTimeout, TimeLimit
from controller.runtime.workqueue.queue import AsyncWorkQueue


class CancelledItself(Exception):
    """A reconcile ended with a cancellation that nobody asked its worker for."""


class Reconciler:
    """Runs the function of the controller `name`; nothing that it raises gets out, except what ends the process.

    Logs of a reconcile, its own and those of tasks it starts, carry `controller`, `object` and `reconcileID`.
    """

    def __init__(
        self,
        name: str,
        function: ReconcileFunction,
        queue: AsyncWorkQueue[Request],
        tracer: Tracer | None,
        ids: IdSource,
    ) -> None:
        self.counts = Counts()
        self._name = name
        self._function = function
        self._queue = queue
        self._tracer = tracer
        self._ids = ids
        self._log = structlog.get_logger(__name__)

    async def reconcile(self, request: Request, limit: TimeLimit) -> Context | None:
        """Reconcile `request` within `limit`, count how it ended, and add it again if that was asked for.

        Returns the context of its span, for what is recorded about it; None where nobody traces. Raises CancelledError
        when the worker was cancelled, also when the function kept that to itself.
        """
        reconcile_id = self._ids()
        bind_contextvars(object=request.key, reconcileID=reconcile_id)
        context: Context | None = None
        if self._tracer is None:
            outcome = await self._outcome(request, limit)
        else:
            outcome, context = await self._traced(self._tracer, request, limit, reconcile_id)
        self.counts.results[outcome] += 1
        if limit.task.cancelling():
            raise asyncio.CancelledError
        return context

    async def _traced(
        self, tracer: Tracer, request: Request, limit: TimeLimit, reconcile_id: str
    ) -> tuple[Outcome, Context]:
        attributes = {
            "controller": self._name,
            "namespace": request.namespace,
            "name": request.name,
            "reconcileID": reconcile_id,
        }
        with tracer.start_as_current_span(
            "reconcile", attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            outcome = await self._outcome(request, limit)
            span.set_attribute("result", outcome.value)
            return outcome, trace.set_span_in_context(span)

    async def _outcome(self, request: Request, limit: TimeLimit) -> Outcome:
        try:
            return self._after_result(request, await self._call(request, limit))
        except (Exception, BaseExceptionGroup) as error:
            if ends_process(error, asyncio.CancelledError):
                raise
            self._after_error(request, error)
            return Outcome.ERROR

    async def _call(self, request: Request, limit: TimeLimit) -> Result:
        try:
            with limit:
                return await self._function(request)
        except asyncio.CancelledError as error:
            if limit.ending:
                raise
            if limit.cut_off:
                raise limit.overrun() from error
            # Nobody cancelled this worker: the reconcile awaited something that was cancelled elsewhere. A task
            # group takes a child that ends so for a finished one, and the worker would be missing from then on.
            raise CancelledItself("the reconcile ended with a cancellation of its own") from error

    def _after_result(self, request: Request, result: Result) -> Outcome:
        if not isinstance(result, Result):  # a function without annotations forgot its return
            raise TypeError(f"the reconcile function of controller {self._name!r} returned {result!r}: return a Result")
        if result.requeue_after is not None:
            self._queue.forget(request)
            self._queue.add_after(request, result.requeue_after)
            return Outcome.REQUEUE_AFTER
        if result.requeue:
            self._queue.add_rate_limited(request)
            return Outcome.REQUEUE
        self._queue.forget(request)
        return Outcome.SUCCESS

    def _after_error(self, request: Request, error: BaseException) -> None:
        if self._tracer is not None:
            span = trace.get_current_span()
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        if is_terminal(error):
            self.counts.terminal += 1
            self._queue.forget(request)
            self._log.error("reconcile failed for good", error=text_of(error))
            return
        delay = self._queue.add_rate_limited(request)
        if is_bug(error):
            self.counts.panics += 1
            self._log.error("reconcile hit a bug", retry_in_seconds=delay, exc_info=error)
            return
        if consists_of(error, ApiError):
            # The server says what is wrong. A traceback adds nothing, and one that shows variables (structlog's own,
            # where rich is installed) would write what was sent into the log: Secrets, for one.
            self._log.warning("reconcile failed", retry_in_seconds=delay, timed_out=False, error=text_of(error))
            return
        timed_out = isinstance(error, ReconcileTimeout)
        self.counts.timeouts += timed_out
        self._log.warning("reconcile failed", retry_in_seconds=delay, timed_out=timed_out, exc_info=error)

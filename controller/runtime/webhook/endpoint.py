"""What answers at one path: HTTP and its limits here, the reviews by kind below.

Garbage gets a 4xx that says what is wrong. An admission handler that raises or takes too long gets a 500 without a
review, which the API server treats by the webhook's failurePolicy. A conversion that fails is a review that names the
object: there is no policy for it, and somebody's `kubectl get` shows the text. It is sent with a 200, as the API server
wants it, and counted as a 500. A handler's own exception is logged with its trace.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, decode_review, encode_review
from controller.runtime.webhook.conversion import (
    ConversionFailed,
    ConversionHandler,
    ConversionRequest,
    convert,
    decode_conversion,
    encode_converted,
    encode_failure,
)
from controller.runtime.webhook.exchange import Refused, read_body, send
from controller.runtime.webhook.review import MalformedReview, Reply
from controller.runtime.webhook.webhook_metrics import WebhookMetrics

AdmissionHandler = Callable[[AdmissionRequest], Awaitable[AdmissionResponse]]

# A request body is at most 3 MiB at the API server, and a review of an update carries the object twice, wrapped.
MAX_BODY_BYTES = 8 * 1024 * 1024
# A conversion review carries a whole list: 10,000 objects of 10 KB are 100 MB. The API server sets no bound of its own.
MAX_CONVERSION_BYTES = 128 * 1024 * 1024
_DEFAULT_TIMEOUT_SECONDS = 10.0
_LONGEST_TIMEOUT_SECONDS = 30.0


class Endpoint(ABC):
    """Answers at `path` with what `answer` makes of a body of at most `limit_bytes`."""

    limit_bytes: int

    def __init__(self, path: str, metrics: WebhookMetrics, tally: Counter[str]) -> None:
        self._path = path
        self._metrics = metrics
        self._tally = tally
        self._log = structlog.get_logger(__name__).bind(path=path)
        metrics.declare(path)

    @abstractmethod
    async def answer(self, body: bytes, timeout: float) -> Reply:
        """The answer to the review in `body`, for which the asker waits `timeout` seconds. Raises MalformedReview."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        headers = {}
        with self._metrics.review(self._path):
            try:
                body = await read_body(request, self.limit_bytes)
                reply = await self.answer(body, timeout_of(request))
            except Refused as refusal:
                reply, headers = self._refuse(refusal.status, str(refusal)), refusal.headers
            except MalformedReview as error:
                reply = self._refuse(400, str(error))
            self._metrics.answered(self._path, reply.counted_as)
            return await send(request, reply, headers)

    def _refuse(self, status: int, sentence: str) -> Reply:
        self._tally["malformed"] += 1
        self._log.warning("malformed review", status=status, error=sentence)
        return Reply.text(status, sentence)


class AdmissionEndpoint(Endpoint):
    """AdmissionReviews."""

    limit_bytes = MAX_BODY_BYTES

    def __init__(self, path: str, handler: AdmissionHandler, metrics: WebhookMetrics, tally: Counter[str]) -> None:
        super().__init__(path, metrics, tally)
        self._handler = handler

    async def answer(self, body: bytes, timeout: float) -> Reply:
        """Ask the handler. A 500 when it raises or takes longer than `timeout` seconds."""
        review = decode_review(body)
        log = self._log.bind(uid=review.uid, operation=review.operation, object=review.name)
        try:
            async with asyncio.timeout(timeout):
                response = await self._handler(review)
            encoded = encode_review(review.uid, response)
        except Exception:
            self._tally["failed"] += 1
            log.exception("admission handler failed", timeout=timeout)
            return Reply.text(500, "the admission handler failed; its log says why")
        self._tally["allowed" if response.allowed else "denied"] += 1
        if not response.allowed:
            log.info("denied", message=response.message)
        return Reply(200, [encoded])


class ConversionEndpoint(Endpoint):
    """ConversionReviews. Between chunks of a large one the event loop gets its turn."""

    limit_bytes = MAX_CONVERSION_BYTES

    def __init__(self, path: str, handler: ConversionHandler, metrics: WebhookMetrics, tally: Counter[str]) -> None:
        super().__init__(path, metrics, tally)
        self._handler = handler

    async def answer(self, body: bytes, timeout: float) -> Reply:
        """Convert everything, or nothing and say why."""
        request = decode_conversion(body)
        try:
            async with asyncio.timeout(timeout):
                converted = await self._convert(request)
        except ConversionFailed as error:
            return self._failed(request, str(error), error.__cause__)
        except TimeoutError as error:
            count = len(request.objects)
            return self._failed(request, f"not within {timeout:g} s for {count} objects; ask for fewer", error)
        self._tally["converted"] += len(converted)
        return Reply(200, encode_converted(request.uid, converted))

    async def _convert(self, request: ConversionRequest) -> list[bytes]:
        converted: list[bytes] = []
        for chunk in request.chunks():
            converted += convert(self._handler, request.desired_api_version, chunk)
            await asyncio.sleep(0)
        return converted

    def _failed(self, request: ConversionRequest, message: str, cause: BaseException | None) -> Reply:
        self._tally["failed"] += 1
        self._log.error("conversion failed", uid=request.uid, message=message, exc_info=cause)
        return Reply(200, encode_failure(request.uid, message), failed=True)


def timeout_of(request: web.Request) -> float:
    """The API server's own limit for this review (`?timeout=5s`), so that we never work for nobody."""
    try:
        asked = float(request.query.get("timeout", "").removesuffix("s"))
    except ValueError:
        return _DEFAULT_TIMEOUT_SECONDS
    return min(max(0.1, asked), _LONGEST_TIMEOUT_SECONDS)

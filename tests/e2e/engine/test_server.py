import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controller.runtime.metrics_text import samples
from e2e.engine.judge import excesses, seats_of
from e2e.engine.memory import Memory
from e2e.engine.record import Entry
from e2e.engine.server import Served, serving
from e2e.engine.settings import EngineSettings
from e2e.engine.speed import Speed

MODEL = "acme/chat"
SLOW = Speed(floor=0.01)
REASONS = ("stop", "length", "abort", "error")
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}


@asynccontextmanager
async def engine(**settings: Any) -> AsyncIterator[tuple[Served, aiohttp.ClientSession]]:
    async with (
        serving(EngineSettings(model=MODEL, **settings)) as served,
        aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as client,
    ):
        yield served, client


async def post(client: aiohttp.ClientSession, body: Any, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    async with client.post(path, json=body) as response:
        assert response.headers["X-Simulated"] == "aim-gpu-sharing"
        return response.status, await response.json()


async def events(client: aiohttp.ClientSession, body: Any) -> list[str]:
    async with client.post("/v1/chat/completions", json=body | {"stream": True}) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        text = await response.text()
    return [event.removeprefix("data: ") for event in text.split("\n\n") if event]


async def test_an_answer_has_the_length_that_was_asked_for() -> None:
    async with engine() as (_, client):
        status, answer = await post(client, CHAT)
    assert status == 200
    assert answer["usage"] == {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    assert answer["choices"][0]["message"]["content"].split() == ["No", "model", "ran:"]


async def test_a_stream_has_an_event_a_token_and_ends() -> None:
    async with engine() as (_, client):
        *found, done = await events(client, CHAT)
    assert done == "[DONE]"
    choices = [json.loads(event)["choices"][0] for event in found]
    assert "".join(choice["delta"]["content"] for choice in choices) == "No model ran: "
    assert [choice["finish_reason"] for choice in choices] == [None, None, "length"]


async def test_a_stream_ends_with_its_usage_where_that_is_asked_for() -> None:
    async with engine() as (_, client):
        *_, told, done = await events(client, CHAT | {"stream_options": {"include_usage": True}})
    assert (json.loads(told)["usage"]["completion_tokens"], json.loads(told)["choices"], done) == (3, [], "[DONE]")


@pytest.mark.parametrize(
    ("path", "body", "want"),
    [
        pytest.param("/v1/completions", {"prompt": "a", "max_tokens": 1}, "text_completion", id="completions"),
        pytest.param("/v1/embeddings", {"input": ["a", "b"]}, "list", id="embeddings"),
        pytest.param("/v1/rerank", {"query": "a", "documents": ["b"]}, "rerank", id="rerank"),
    ],
)
async def test_the_other_tasks(path: str, body: dict[str, Any], want: str) -> None:
    async with engine() as (_, client):
        status, answer = await post(client, {"model": MODEL, **body}, path)
    assert (status, answer["object"]) == (200, want)


@pytest.mark.parametrize(
    ("body", "want_status", "want"),
    [
        pytest.param(CHAT | {"model": "other"}, 404, "`other` does not exist", id="a model it does not serve"),
        pytest.param({"model": MODEL}, 400, "messages is missing", id="no messages"),
        pytest.param(CHAT | {"max_tokens": 0}, 400, "max_tokens 0 is below 1", id="no tokens"),
        pytest.param(CHAT | {"max_tokens": 8192}, 400, "the model has 8192", id="longer than the model"),
        pytest.param(CHAT | {"priority": 2}, 400, "priority scheduling is not enabled", id="a priority"),
        pytest.param(CHAT | {"max_tokens": "x"}, 400, "the body cannot be read", id="a wrong type"),
    ],
)
async def test_what_it_refuses(body: Any, want_status: int, want: str) -> None:
    async with engine() as (served, client):
        status, answer = await post(client, body)
        assert (status, answer["error"]["code"]) == (want_status, want_status)
        assert want in answer["error"]["message"]
        assert served.engine.in_flight == 0


async def test_a_priority_is_taken_with_that_policy() -> None:
    async with engine(by_priority=True) as (_, client):
        status, _ = await post(client, CHAT | {"priority": 2})
    assert status == 200


async def test_it_answers_to_its_names_alone() -> None:
    async with engine(names=("chat", "team/chat")) as (_, client):
        found = [(await post(client, CHAT | {"model": name}))[0] for name in ("chat", "team/chat", MODEL)]
        async with client.get("/v1/models") as response:
            listed = [model["id"] for model in (await response.json())["data"]]
    assert (found, listed) == ([200, 200, 404], ["chat", "team/chat"])


async def test_the_record_has_every_request_and_ends_it_before_its_last_byte(tmp_path: Path) -> None:
    path = tmp_path / "record"
    settings = EngineSettings(model=MODEL, engine="uid-1", partition="node/0000:05:00.0/1", seats=1)
    with path.open("w") as file:
        async with (
            serving(settings, record=file) as served,
            aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as client,
        ):
            for body in (CHAT, CHAT | {"stream": True}):
                async with client.post("/v1/chat/completions", json=body, headers={"X-Request-Id": "mine"}) as answer:
                    await answer.read()
                last = Entry.read(path.read_text().splitlines()[-1])
                assert (last.event, last.in_flight) == ("end", 0)
    entries = [Entry.read(line) for line in path.read_text().splitlines()]
    assert [(one.event, one.request, one.in_flight) for one in entries] == [
        ("begin", "mine/1", 1),
        ("end", "mine/1", 0),
        ("begin", "mine/2", 1),
        ("end", "mine/2", 0),
    ]
    assert {(one.engine, one.partition, one.model) for one in entries} == {("uid-1", "node/0000:05:00.0/1", MODEL)}


@pytest.mark.parametrize("seats", [pytest.param(4, id="all at once"), pytest.param(2, id="one after the other")])
async def test_choices_take_a_seat_each_and_are_all_answered(seats: int, tmp_path: Path) -> None:
    path = tmp_path / "record"
    with path.open("w") as file:
        async with (
            serving(EngineSettings(model=MODEL, seats=seats), record=file) as served,
            aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as client,
        ):
            _, answer = await post(
                client, {"model": MODEL, "prompt": ["a", "b"], "n": 2, "max_tokens": 3}, "/v1/completions"
            )
            *found, _ = await events(client, CHAT | {"n": 4})
            assert served.engine.in_flight == 0
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert answer["usage"]["completion_tokens"] == 4 * 3
    assert sorted(json.loads(event)["choices"][0]["index"] for event in found) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    entries = [Entry.read(line) for line in path.read_text().splitlines()]
    assert [(one.event, one.sequences, one.in_flight) for one in entries] == [("begin", 4, 4), ("end", 4, 0)] * 2
    assert len(excesses(entries, lambda one: one.engine, seats_of(entries))) == (seats < 4)


@pytest.mark.parametrize("stream", [pytest.param(True, id="in a stream"), pytest.param(False, id="before any byte")])
async def test_who_hangs_up_gives_the_seat_back(stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "record"
    with path.open("w") as file:
        settings = EngineSettings(model=MODEL, seats=1, speed=SLOW)
        async with serving(settings, record=file) as served:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as client:
                with pytest.raises(TimeoutError):
                    await _ask_and_hang_up(client, CHAT | {"max_tokens": 1000, "stream": stream})
            async with asyncio.timeout(30):
                while served.engine.in_flight:  # noqa: ASYNC110 - what another process would see, polled
                    await asyncio.sleep(0.01)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as client:
                assert (await post(client, CHAT))[0] == 200
    assert [Entry.read(line).event for line in path.read_text().splitlines()] == ["begin", "gone", "begin", "end"]


async def _ask_and_hang_up(client: aiohttp.ClientSession, body: Any) -> None:
    async with asyncio.timeout(0.1), client.post("/v1/chat/completions", json=body) as answer:
        await answer.read()


async def test_metrics_are_vllms() -> None:
    async with engine(memory=Memory(fixed=1000, pool=16 * 10 * 4, token=4)) as (_, client):
        await post(client, CHAT)
        async with client.get("/metrics") as response:
            text = await response.text()
        async with client.get("/simulated/memory") as response:
            memory = await response.json()
    assert f'vllm:generation_tokens_total{{model_name="{MODEL}"}} 3.0' in text
    assert f'vllm:num_requests_running{{model_name="{MODEL}"}} 0.0' in text
    assert 'gpu_memory_utilization="0.9",kv_cache_memory_bytes="None",num_gpu_blocks="10"} 1.0' in text
    assert memory == {
        "simulated": True,
        "fixed_bytes": 1000,
        "pool_bytes": 640,
        "most_tokens": 13,
        "peak_bytes": 1052,
    }


def value(text: str, name: str, **labels: str) -> float:
    """A sample of the page."""
    (found,) = (one.value for one in samples(text, {name}) if labels.items() <= one.labels.items())
    return found


async def test_requests_are_measured_as_vllm_measures_them() -> None:
    async with engine(seats=1, speed=SLOW) as (served, client):
        async with asyncio.TaskGroup() as tasks:  # the second waits for the first one's seat
            for _ in range(2):
                tasks.create_task(post(client, CHAT))
        async with client.get("/metrics") as response:
            text = await response.text()
        with pytest.raises(TimeoutError):
            await _ask_and_hang_up(client, CHAT | {"max_tokens": 1000})
        async with asyncio.timeout(30):
            while served.engine.in_flight:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        async with client.get("/metrics") as response:
            later = await response.text()
    parts = ("request_queue_time", "request_time_per_output_token", "time_to_first_token", "e2e_request_latency")
    assert [value(text, f"vllm:{part}_seconds_count") for part in parts] == [2, 2, 2, 2]
    waited, each, first, whole = (value(text, f"vllm:{part}_seconds_sum") for part in parts)
    assert 3 * SLOW.floor <= waited < first < whole
    assert each >= 2 * SLOW.floor  # of both together; two more tokens each
    assert first + 2 * each == pytest.approx(whole, abs=0.01)
    ended = {reason: value(text, "vllm:request_success_total", finished_reason=reason) for reason in REASONS}
    assert ended == {"stop": 0, "length": 2, "abort": 0, "error": 0}
    assert value(later, "vllm:request_success_total", finished_reason="abort") == 1


async def test_it_says_that_it_is_simulated() -> None:
    async with engine() as (_, client), client.get("/version") as response:
        assert (await response.json())["simulated"] is True


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with engine():
            _ = 1 // 0

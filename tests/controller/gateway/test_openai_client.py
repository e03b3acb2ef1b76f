"""OpenAI's own client against the gateway, with a simulated engine behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import openai
import pytest

from controller.gateway.gateway import Gateway
from controller.qos.settings import ModelSettings
from e2e.engine.server import serving as simulated
from e2e.engine.settings import EngineSettings
from tests.builders.gateway_configuration import KEY, configuration, endpoint, route
from tests.controller.gateway.conservation import conserved
from tests.controller.gateway.exchanging import Dial, eventually, request, serving
from tests.fakes.engine import STREAM_HEAD, Engine, EngineConnection, event, silent

MODEL_ID = "acme/chat-8b"
MESSAGES: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Say something."}]


def client_of(dial: Dial, key: str = KEY.decode()) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{dial.port}/v1", api_key=key, max_retries=0, timeout=10)


@asynccontextmanager
async def talking(*, seats: int = 4) -> AsyncIterator[tuple[openai.AsyncOpenAI, Gateway]]:
    """A client, and the gateway before an engine that schedules by priority and knows its model by the id alone."""
    async with simulated(EngineSettings(model=MODEL_ID, seats=seats, by_priority=True)) as engine:
        service = route(endpoint(engine.port, seats=seats, takes_priority=True))
        service = replace(service, model_ids=("llama", MODEL_ID), engine_model=MODEL_ID)
        async with serving(configuration(service)) as (gateway, dial), client_of(dial) as client:
            yield client, gateway


@pytest.mark.parametrize("name", ["llama", "team-a/llama", MODEL_ID])
async def test_chat(name: str) -> None:
    async with talking() as (client, gateway):
        got = await client.chat.completions.create(model=name, messages=MESSAGES, max_completion_tokens=7)
        assert got.choices[0].message.content
        assert got.usage is not None
        assert got.usage.completion_tokens == 7
        assert gateway.tables["team-a/llama", "standard"].output_tokens == 7
        assert conserved(gateway)


async def test_a_stream_of_chat_with_the_usage_at_its_end() -> None:
    async with talking() as (client, gateway):
        stream = await client.chat.completions.create(model="llama", messages=MESSAGES, max_tokens=9, stream=True)
        texts, usages = [], []
        async for chunk in stream:
            texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            usages += [chunk.usage] if chunk.usage else []
        assert len(texts) >= 1
        assert [usage.completion_tokens for usage in usages][-1] == 9
        assert gateway.tables["team-a/llama", "standard"].output_tokens == 9
        assert conserved(gateway)


async def test_a_stream_that_is_left_early_gives_its_seat_back() -> None:
    async with talking() as (client, gateway):
        stream = await client.chat.completions.create(model="llama", messages=MESSAGES, max_tokens=4000, stream=True)
        async for _ in stream:
            break
        await stream.close()
        await eventually(lambda: conserved(gateway))


async def test_completions_and_embeddings() -> None:
    async with talking() as (client, gateway):
        text = await client.completions.create(model="llama", prompt="Once upon a time", max_tokens=3)
        assert text.usage is not None
        assert text.usage.completion_tokens == 3
        vectors = await client.embeddings.create(model="llama", input=["one", "two"])
        assert len(vectors.data) == 2
        assert conserved(gateway)


async def test_models_are_listed_and_looked_up() -> None:
    async with talking() as (client, _):
        listed = await client.models.list()
        assert [(one.id, one.owned_by) for one in listed.data] == [("llama", "team-a")]
        assert (await client.models.retrieve("llama")).id == "llama"
        assert (await client.models.retrieve("team-a/llama")).id == "llama"  # whose slash the client escapes
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("other")


async def test_who_has_no_key_is_told_so() -> None:
    async with serving(configuration(route())) as (_, dial), client_of(dial, "sk-other") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model="llama", messages=MESSAGES)
    assert caught.value.code == "UnknownKey"


async def test_a_model_nobody_has_is_not_found() -> None:
    async with talking() as (client, _):
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    assert (caught.value.code, caught.value.param, caught.value.type) == ("ModelNotFound", "model", "not_found_error")
    assert caught.value.request_id


async def test_a_field_of_the_wrong_type_is_named() -> None:
    async with talking() as (client, _):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="llama", messages=MESSAGES, extra_body={"max_tokens": "many"})
    assert (caught.value.code, caught.value.param) == ("BadBody", "max_tokens")


async def test_what_the_engine_refuses_comes_through_as_it_said_it() -> None:
    async with talking() as (client, gateway):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model="llama", messages=[], max_tokens=100_000)
        assert "the model has 8192" in str(caught.value)
        assert conserved(gateway)


async def test_who_is_one_too_many_is_told_when_to_come_again() -> None:
    settings = ModelSettings("team-a/llama", "standard", queue_length=0)
    async with Engine([silent]) as engine:
        service = route(endpoint(engine.port, seats=1), settings=settings)
        async with serving(configuration(service)) as (_, dial), client_of(dial) as client:
            (await dial()).send(request())
            await eventually(lambda: engine.requests)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="llama", messages=MESSAGES)
    assert caught.value.code == "QueueFull"
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
    assert caught.value.response.headers["x-aim-reason"] == "QueueFull"


async def test_no_engine_is_an_error_of_the_server() -> None:
    async with serving(configuration(route())) as (_, dial), client_of(dial) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="llama", messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (503, "NoEndpoint")


async def test_an_engine_that_dies_in_a_stream_is_an_error_in_the_stream() -> None:
    def half(connection: EngineConnection) -> None:
        connection.send(
            STREAM_HEAD + event(b'{"id":"a","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}')
        )

    async with (
        Engine([half]) as engine,
        serving(configuration(route(endpoint(engine.port)))) as (_, dial),
        client_of(dial) as client,
    ):
        stream = await client.chat.completions.create(model="llama", messages=MESSAGES, stream=True)
        assert (await anext(stream)).id == "a"
        engine.connections[0].transport.abort()
        with pytest.raises(openai.APIError) as caught:
            await anext(stream)
    assert caught.value.code == "EngineLost"


async def test_a_request_that_took_too_long_in_the_queue_is_told_so() -> None:
    settings = ModelSettings("team-a/llama", "standard", queue_timeout=0.2)
    async with Engine([silent]) as engine:
        service = route(endpoint(engine.port, seats=1), settings=settings)
        async with serving(configuration(service)) as (_, dial), client_of(dial) as client:
            (await dial()).send(request())
            await eventually(lambda: engine.requests)
            with pytest.raises(openai.RateLimitError) as caught:
                await client.chat.completions.create(model="llama", messages=MESSAGES)
    assert caught.value.code == "QueueTimeout"

"""The OpenAI-protocol stand-in: the official client must find every shape it expects."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
from examples.lending.models import openai_stub


@pytest.fixture
async def client() -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=openai_stub.build_app("assistant"))
    )
    async with openai.AsyncOpenAI(
        api_key="unused", base_url="http://assistant/v1", http_client=http, max_retries=0
    ) as client:
        yield client


async def test_chat(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": "good morning"}]
    )
    assert answer.choices[0].message.content == "You said: good morning"
    assert answer.system_fingerprint == openai_stub.FINGERPRINT
    assert answer.usage is not None
    assert answer.usage.total_tokens == 6


async def test_chat_streamed(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="assistant",
        messages=[{"role": "user", "content": [{"type": "text", "text": "good morning"}]}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == "You said: good morning"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage is not None


async def test_embeddings(client: openai.AsyncOpenAI) -> None:
    packed = await client.embeddings.create(model="assistant", input=["a", "b", "a"])
    plain = await client.embeddings.create(
        model="assistant", input=["a", "b", "a"], encoding_format="float"
    )
    assert packed.data[0].embedding == packed.data[2].embedding != packed.data[1].embedding
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert (await client.models.retrieve("assistant")).id == "assistant"
    assert [model.id async for model in client.models.list()] == ["assistant"]


async def test_errors(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("other")
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="other", input="a")
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="assistant", messages=[])
    for body in (b"{", b"[]", b"null"):
        with pytest.raises(openai.BadRequestError):
            await client.post("/embeddings", content=body, cast_to=object)

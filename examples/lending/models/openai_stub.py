"""A stand-in that speaks the OpenAI protocol. There is no AI in it.

It answers `/v1/chat/completions` (JSON, or server-sent events when `stream` is true),
`/v1/embeddings` and `/v1/models` in the shapes that the official clients expect, with deterministic
text: it repeats what it was told. Every answer says so in `system_fingerprint`. It exists so that
`make demo` needs no key, no download and no graphics card; put a real server in its place.
Source: platform.openai.com/docs/api-reference (chat, embeddings, models).

    python -m examples.lending.models.openai_stub --model assistant --port 9010
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

FINGERPRINT = "stand-in-no-ai"
CREATED = 1_700_000_000
DIMENSIONS = 8


def build_app(model: str) -> Starlette:
    """The stand-in for one model name; any other name is answered with 404, as OpenAI does."""
    server = _Server(model)
    return Starlette(
        routes=[
            Route("/health", server.health),
            Route("/v1/models", server.list_models),
            Route("/v1/models/{model}", server.get_model),
            Route("/v1/chat/completions", server.chat, methods=["POST"]),
            Route("/v1/embeddings", server.embeddings, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _error},
    )


@dataclass(frozen=True, slots=True)
class _Server:
    model: str

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def list_models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def get_model(self, request: Request) -> Response:
        self._check(request.path_params["model"])
        return JSONResponse(self._card())

    async def chat(self, request: Request) -> Response:
        body = await _object(request)
        self._check(body.get("model"))
        prompt = _last_message(body.get("messages"))
        answer = f"You said: {prompt}"
        usage = _usage(prompt, answer)
        if body.get("stream") is True:
            options = body.get("stream_options")
            wants_usage = isinstance(options, Mapping) and options.get("include_usage") is True
            return StreamingResponse(
                self._chunks(answer, usage if wants_usage else None),
                media_type="text/event-stream",
                headers={"cache-control": "no-cache"},
            )
        message = {"role": "assistant", "content": answer, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return JSONResponse(
            {**self._head("chat.completion", answer), "choices": [choice], "usage": usage}
        )

    async def embeddings(self, request: Request) -> Response:
        body = await _object(request)
        self._check(body.get("model"))
        texts = _texts(body.get("input"))
        packed = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(text, packed=packed)}
            for index, text in enumerate(texts)
        ]
        words = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": words, "total_tokens": words}
        return JSONResponse({"object": "list", "model": self.model, "data": data, "usage": usage})

    async def _chunks(self, answer: str, usage: dict[str, int] | None) -> AsyncIterator[str]:
        """One event per word, then one that ends the choice, usage if asked for, then [DONE]."""
        head = self._head("chat.completion.chunk", answer)
        words = answer.split(" ")
        deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word if i == 0 else f" {word}"} for i, word in enumerate(words)]
        for delta in deltas:
            yield _event({**head, "choices": [_chunk_choice(delta, None)]})
        yield _event({**head, "choices": [_chunk_choice({}, "stop")]})
        if usage is not None:
            yield _event({**head, "choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    def _head(self, kind: str, answer: str) -> dict[str, object]:
        identity = hashlib.sha256(answer.encode()).hexdigest()[:24]
        return {
            "id": f"chatcmpl-{identity}",
            "object": kind,
            "created": CREATED,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _card(self) -> dict[str, object]:
        return {"id": self.model, "object": "model", "created": CREATED, "owned_by": "stand-in"}

    def _check(self, wanted: object) -> None:
        if wanted != self.model:
            raise HTTPException(404, f"there is no model {wanted!r} here")


def _chunk_choice(delta: dict[str, str], finish: str | None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _event(value: dict[str, object]) -> str:
    return f"data: {json.dumps(value)}\n\n"


async def _object(request: Request) -> dict[str, object]:
    try:
        body: object = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


def _last_message(messages: object) -> str:
    """The text of the last message; content may be a string or a list of text parts."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = " ".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        raise HTTPException(400, "`messages` must be a list of messages with text")
    return content


def _texts(given: object) -> list[str]:
    texts = given if isinstance(given, list) else [given]
    found = [text for text in texts if isinstance(text, str)]
    if not found or len(found) != len(texts):
        raise HTTPException(400, "`input` must be a string or a list of strings")
    return found


def _embedding(text: str, *, packed: bool) -> list[float] | str:
    """DIMENSIONS numbers in [-1, 1] from a hash of the text: equal texts are near, nothing else is."""
    numbers = [byte / 127.5 - 1 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSIONS]]
    if not packed:
        return numbers
    return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *numbers)).decode()


def _usage(prompt: str, answer: str) -> dict[str, int]:
    """Words instead of tokens: a stand-in has no tokenizer."""
    said, answered = len(prompt.split()), len(answer.split())
    return {"prompt_tokens": said, "completion_tokens": answered, "total_tokens": said + answered}


async def _error(_request: Request, error: Exception) -> Response:
    """OpenAI's error object."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    code = "model_not_found" if status == 404 else None
    body = {"message": detail, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": body}, status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="assistant", help="the only model name it answers to")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    uvicorn.run(build_app(given.model), host=given.host, port=given.port, server_header=False)


if __name__ == "__main__":
    main()

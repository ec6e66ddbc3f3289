"""The chat model, through the official `openai` client, and the side door that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai

from examples.lending.callers import Ask, Caller
from examples.lending.stage import Stage

HOST, SIDE_DOOR = "chat.lending.example", "side-door.lending.example"
CHAT = "/v1/chat/completions"
BODY = {"model": "assistant", "messages": [{"role": "user", "content": "good morning"}]}


class GateTransport(httpx2.HTTPTransport):
    """As in `callers`, for the HTTP library of the `openai` client."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        request.url = request.url.copy_with(host="127.0.0.1")
        request.extensions = {**request.extensions, "sni_hostname": host}
        return super().handle_request(request)


@contextmanager
def _client(stage: Stage, caller: Caller) -> Iterator[openai.OpenAI]:
    """The official client. The caller's token goes where an OpenAI key would."""
    token = caller.headers.get("authorization", "Bearer none").removeprefix("Bearer ")
    transport = GateTransport(
        verify=stage.office.trust(caller), local_address=caller.address, trust_env=False
    )
    with (
        httpx2.Client(transport=transport, timeout=10, trust_env=False) as http,
        openai.OpenAI(
            api_key=token,
            base_url=f"https://{HOST}:{stage.ports.https}/v1",
            http_client=http,
            max_retries=0,
        ) as client,
    ):
        yield client


def use_openai_client(stage: Stage) -> None:
    stage.telling.chapter(
        "A chat model, with the official OpenAI client",
        """The same gate serves a model with the OpenAI protocol, named in the body. The official client
        works unchanged, streaming included, with the company's token where a key would be. What answers
        is a stand-in without any AI: it repeats what it is told.""",
    )
    sven = stage.office.person("sven", "staff")
    with _client(stage, sven) as client:
        _chat(stage, client)
        _stream(stage, client)
        _embed(stage, client)
        _other_model(stage, client)
    with _client(
        stage, Caller(name="nobody", headers={"authorization": "Bearer sk-stolen"})
    ) as client:
        _refused(stage, client)


def _chat(stage: Stage, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": "good morning"}]
    )
    said = answer.choices[0].message.content
    stage.telling.check(
        "client.chat.completions.create(…)",
        expected="You said: good morning",
        came=f"{said} ({answer.system_fingerprint})",
        holds=said == "You said: good morning",
        detail=f"POST https://{HOST}{CHAT}  by sven",
    )


def _stream(stage: Stage, client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": "good morning"}], stream=True
    )
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    stage.telling.check(
        "… with stream=True",
        expected="the same, in several events",
        came=f"{''.join(words)}, in {len(words)} events",
        holds="".join(words) == "You said: good morning" and len(words) > 2,
    )


def _embed(stage: Stage, client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="assistant", input=["one text", "another"])
    sizes = [len(item.embedding) for item in answer.data]
    stage.telling.check(
        "client.embeddings.create(…)",
        expected="two vectors of 8 numbers",
        came=f"vectors of {sizes} numbers",
        holds=sizes == [8, 8],
    )


def _other_model(stage: Stage, client: openai.OpenAI) -> None:
    came = "an answer"
    try:
        client.embeddings.create(model="gpt-elsewhere", input="x")
    except openai.APIStatusError as error:
        came = f"{type(error).__name__} {error.status_code} {error.code}"
    stage.telling.check(
        "A model name that is not served here",
        expected="NotFoundError 404 unknown-model",
        came=came,
        holds=came == "NotFoundError 404 unknown-model",
    )


def _refused(stage: Stage, client: openai.OpenAI) -> None:
    came = "an answer"
    try:
        client.models.retrieve("assistant")
    except openai.APIStatusError as error:
        came = f"{type(error).__name__} {error.status_code} {error.code}"
    stage.telling.check(
        "A key that is no token of ours: the client understands the refusal",
        expected="AuthenticationError 401 invalid-credential",
        came=came,
        holds=came == "AuthenticationError 401 invalid-credential",
    )


def try_the_side_door(stage: Stage) -> None:
    stage.telling.chapter(
        "The side door",
        """Another Ingress names the Service behind the assistant instead of the model. Elsewhere that
        is how governed models are reached ungoverned. Here the gate sees that a model stands behind the
        Service, and governs the side door exactly like the front door.""",
    )
    ask = Ask(host=SIDE_DOOR, path=CHAT, body=BODY)
    stage.ask(
        "A stranger at the side door",
        Caller(name="nobody"),
        ask,
        status=401,
        code="credential-required",
    )
    stage.ask("A partner, whom no rule of the assistant names",
              stage.office.partner("banco-sul", "127.0.1.20"), ask, status=403, code="no-allow-rule")  # fmt: skip
    stage.ask("Somebody from the staff", stage.office.person("sven", "staff"), ask, status=200)


CHAPTERS = (use_openai_client, try_the_side_door)

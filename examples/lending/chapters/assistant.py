"""The chat model, through the official `openai` client, and the side door that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
        _check(
            stage,
            "client.chat.completions.create(…)",
            lambda: _chat(client),
            expected="You said: good morning (stand-in-no-ai)",
        )
        _check(
            stage,
            "… with stream=True",
            lambda: _stream(client),
            expected="You said: good morning, in 6 events",
        )
        _check(
            stage,
            "client.embeddings.create(…)",
            lambda: _embed(client, "assistant"),
            expected="2 vectors of 8 numbers",
        )
        _check(
            stage,
            "A model name that is not served here",
            lambda: _embed(client, "gpt-elsewhere"),
            expected="NotFoundError 404 unknown-model",
        )
    stolen = Caller(name="nobody", headers={"authorization": "Bearer sk-stolen"})
    with _client(stage, stolen) as client:
        _check(
            stage,
            "A key that is no token of ours: the client understands the refusal",
            lambda: client.models.retrieve("assistant").id,
            expected="AuthenticationError 401 invalid-credential",
        )


def _check(stage: Stage, what: str, call: Callable[[], str], *, expected: str) -> None:
    """call: what came, as text; an error of the client's is text, too."""
    try:
        came = call()
    except openai.APIStatusError as error:
        came = f"{type(error).__name__} {error.status_code} {error.code}"
    except openai.OpenAIError as error:
        came = f"{type(error).__name__}: {error}"
    stage.telling.check(what, expected=expected, came=came, holds=came == expected)


def _chat(client: openai.OpenAI) -> str:
    answer = client.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": "good morning"}]
    )
    return f"{answer.choices[0].message.content} ({answer.system_fingerprint})"


def _stream(client: openai.OpenAI) -> str:
    chunks = client.chat.completions.create(
        model="assistant", messages=[{"role": "user", "content": "good morning"}], stream=True
    )
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    return f"{''.join(words)}, in {len(words)} events"


def _embed(client: openai.OpenAI, model: str) -> str:
    answer = client.embeddings.create(model=model, input=["one text", "another"])
    return f"{len(answer.data)} vectors of {len(answer.data[0].embedding)} numbers"


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

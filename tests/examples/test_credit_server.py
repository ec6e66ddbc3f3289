"""The KServe V2 server of the lending example, over ASGI, with a model trained on real rows."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypedDict

import httpx2
import numpy as np
import pytest
from examples.lending.models import adult, credit, serve, tensors, train

APPLICANT: dict[str, float | str] = {
    "age": 45.0,
    "education_years": 14.0,
    "hours_per_week": 45.0,
    "capital_gain": 7000.0,
    "capital_loss": 0.0,
    "workclass": "Private",
    "occupation": "Exec-managerial",
}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A logistic regression over the first rows of the real data, saved as `train` saves it."""
    people = adult.read_training()
    few = adult.People(rows=people.rows[:3000], above_50k=people.above_50k[:3000])
    recipe = train.RECIPES[0]
    model = train.build(recipe)
    model.fit(train.features_of(recipe, few), np.array(few.above_50k))
    folder = tmp_path_factory.mktemp("models")
    content = pickle.dumps(model)
    (folder / "credit.pickle").write_bytes(content)
    card = {
        "version": "v1",
        "method": recipe.method,
        "artifact": {
            "file": "credit.pickle",
            "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
        },
        "numbers": recipe.numbers,
        "words": recipe.words,
        "threshold": 0.5,
    }
    (folder / "credit.card.json").write_text(json.dumps(card))
    return folder / "credit.card.json"


@pytest.fixture
async def client(card: Path) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=serve.build_app(credit.load(card)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://credit") as client:
        yield client


class Tensor(TypedDict):
    name: str
    shape: list[int]
    datatype: str
    data: list[object]


def inputs(**changes: object) -> list[Tensor]:
    values = {**APPLICANT, **changes}
    return [
        {
            "name": name,
            "shape": [1],
            "datatype": "BYTES" if isinstance(APPLICANT.get(name), str) else "FP64",
            "data": [value],
        }
        for name, value in values.items()
        if value is not None
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/credit",
        "/v2/models/credit/ready",
        "/v2/models/credit/versions/v1",
        "/v2/models/credit/versions/v1/ready",
    ],
)
async def test_reads(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_metadata_names_every_tensor(client: httpx2.AsyncClient) -> None:
    told = (await client.get("/v2/models/credit")).json()
    assert {i["name"]: i["datatype"] for i in told["inputs"]} == {
        name: "BYTES" if isinstance(value, str) else "FP64" for name, value in APPLICANT.items()
    }
    assert [o["name"] for o in told["outputs"]] == ["score", "decision"]


@pytest.mark.parametrize("path", ["/v2/models/credit", "/v2/models/credit/versions/v1"])
async def test_infer(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.post(f"{path}/infer", json={"id": "7", "inputs": inputs()})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("7", "credit", "v1")
    score, decision = told["outputs"]
    assert score["shape"] == decision["shape"] == [1]
    assert 0 <= score["data"][0] <= 1
    assert decision["data"] == ["approve" if score["data"][0] >= 0.5 else "decline"]


async def test_several_rows_nested_or_flat(client: httpx2.AsyncClient) -> None:
    flat: list[Tensor] = [
        {**tensor, "shape": [2], "data": tensor["data"] * 2} for tensor in inputs()
    ]
    nested = [
        {**tensor, "shape": [2, 1], "data": [[value] for value in tensor["data"]]}
        for tensor in flat
    ]
    answers = [
        await client.post("/v2/models/credit/infer", json={"inputs": body})
        for body in (flat, nested)
    ]
    assert answers[0].json()["outputs"] == answers[1].json()["outputs"]
    assert answers[0].json()["outputs"][0]["shape"] == [2]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "`inputs`"),
        (b'{"inputs": {}}', "`inputs`"),
        (b'{"inputs": [1]}', "`name`"),
        (b'{"inputs": []}', "age is missing"),
    ],
)
async def test_bad_bodies(client: httpx2.AsyncClient, body: bytes, says: str) -> None:
    answer = await client.post("/v2/models/credit/infer", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"age": None}, "age is missing"),
        ({"shoe_size": 42.0}, "unknown inputs: shoe_size"),
        ({"age": "old"}, "must hold numbers"),
        ({"age": True}, "must hold numbers"),
        ({"age": 10**400}, "finite"),
        ({"occupation": 3}, "must hold strings"),
        ({"age": [1.0, 2.0]}, "2 values"),
    ],
)
async def test_bad_tensors(
    client: httpx2.AsyncClient, changes: dict[str, object], says: str
) -> None:
    answer = await client.post("/v2/models/credit/infer", json={"inputs": inputs(**changes)})
    assert answer.status_code == 400
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [2]},
        {"shape": [-1]},
        {"shape": [1, 2]},
        {"shape": "1"},
        {"shape": [True]},
        {"datatype": "BYTES"},
        {"data": 4},
        {"data": []},
        {"data": [float("nan")]},
        {"name": None},
    ],
)
async def test_bad_tensor_words(client: httpx2.AsyncClient, change: dict[str, object]) -> None:
    first, *others = inputs()
    body = json.dumps({"inputs": [{**first, **change}, *others]})
    answer = await client.post("/v2/models/credit/infer", content=body)
    assert answer.status_code == 400


async def test_bounds(client: httpx2.AsyncClient) -> None:
    rows = tensors.MAX_ROWS + 1
    many = [{**t, "shape": [rows], "data": t["data"] * rows} for t in inputs()]
    answer = await client.post("/v2/models/credit/infer", json={"inputs": many})
    assert answer.status_code == 400
    huge = b" " * (serve.MAX_BODY_BYTES + 1)
    assert (await client.post("/v2/models/credit/infer", content=huge)).status_code == 413


async def test_names_that_are_not_here(client: httpx2.AsyncClient) -> None:
    for path in ("/v2/models/other/infer", "/v2/models/credit/versions/v2/infer"):
        answer = await client.post(path, json={"inputs": inputs()})
        assert answer.status_code == 404
        assert "error" in answer.json()


def test_an_artifact_that_is_not_the_cards_is_not_loaded(card: Path, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(card.read_bytes())
    (tmp_path / "credit.pickle").write_bytes(b"something else")
    with pytest.raises(ValueError, match="its card says"):
        credit.load(tmp_path / "card.json")

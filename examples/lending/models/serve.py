"""An ordinary server of one version of the credit model, with the KServe V2 protocol over HTTP.

Knows nothing of gates, callers or policies: it answers whoever reaches it, which is why nobody but
the gate should. Holds HTTP only; tensors are read in `tensors`, scores come from `credit`.
Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.

    python -m examples.lending.models.serve --card build/models/credit-v1.card.json --port 9001
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.lending.models import credit, tensors

MODEL = "credit"
MAX_BODY_BYTES = 1024 * 1024


def build_app(model: credit.CreditModel) -> Starlette:
    """The whole surface of the protocol, with and without the version in the path."""
    server = _Server(model)
    at_model = f"/v2/models/{MODEL}"
    at_version = f"{at_model}/versions/{{version}}"
    routes = [
        Route("/v2", server.about),
        Route("/v2/health/live", server.live),
        Route("/v2/health/ready", server.server_ready),
    ]
    for prefix in (at_model, at_version):
        routes += [
            Route(prefix, server.metadata),
            Route(f"{prefix}/ready", server.model_ready),
            Route(f"{prefix}/infer", server.infer, methods=["POST"]),
        ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _error})


class _Server:
    """The handlers. All state is the model, which never changes."""

    def __init__(self, model: credit.CreditModel) -> None:
        self._model = model

    async def about(self, _request: Request) -> Response:
        return JSONResponse({"name": "lending-example", "version": "1", "extensions": []})

    async def live(self, _request: Request) -> Response:
        return JSONResponse({"live": True})

    async def server_ready(self, _request: Request) -> Response:
        return JSONResponse({"ready": True})

    async def model_ready(self, request: Request) -> Response:
        self._check_version(request)
        return JSONResponse({"name": MODEL, "ready": True})

    async def metadata(self, request: Request) -> Response:
        self._check_version(request)
        numbers = [_described(name, "FP64") for name in self._model.numbers]
        words = [_described(name, "BYTES") for name in self._model.words]
        return JSONResponse(
            {
                "name": MODEL,
                "versions": [self._model.version],
                "platform": f"scikit-learn, {self._model.method}",
                "inputs": numbers + words,
                "outputs": [_described("score", "FP64"), _described("decision", "BYTES")],
            }
        )

    async def infer(self, request: Request) -> Response:
        self._check_version(request)
        body = _json(await _read(request))
        try:
            columns = tensors.read_columns(body, self._model.numbers, self._model.words)
        except tensors.BadRequestError as error:
            raise HTTPException(400, str(error)) from error
        scores = self._model.score(columns)
        decisions = ["approve" if s >= self._model.threshold else "decline" for s in scores]
        answer: dict[str, object] = {
            "model_name": MODEL,
            "model_version": self._model.version,
            "outputs": [
                tensors.output("score", "FP64", scores),
                tensors.output("decision", "BYTES", decisions),
            ],
        }
        if isinstance(body, dict) and isinstance(body.get("id"), str):
            answer["id"] = body["id"]
        return JSONResponse(answer)

    def _check_version(self, request: Request) -> None:
        wanted = request.path_params.get("version", self._model.version)
        if wanted != self._model.version:
            raise HTTPException(404, f"this server holds {MODEL} {self._model.version} only")


async def _read(request: Request) -> bytes:
    """The body. 413 beyond MAX_BODY_BYTES, without reading the rest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body exceeds {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _json(body: bytes) -> object:
    try:
        decoded: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is not JSON") from error
    return decoded


def _described(name: str, datatype: str) -> dict[str, object]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


async def _error(_request: Request, error: Exception) -> Response:
    """The protocol's error object."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return JSONResponse({"error": detail}, status_code=status)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--card", type=Path, required=True, help="the card of a trained version")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    uvicorn.run(
        build_app(credit.load(given.card)), host=given.host, port=given.port, server_header=False
    )


if __name__ == "__main__":
    main()

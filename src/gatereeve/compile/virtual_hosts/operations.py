"""What each model protocol's paths mean: the operations of a model, as rows of standard paths.

KServe V1 and V2 (Open Inference Protocol), the OpenAI API, and plain JSON. What is not in this
table is no operation and is refused: a model server often answers for more than one model.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.ir.access import Operation
from gatereeve.ir.routes import ValueMatch

VERSION_HEADER = "x-model-version"
"""Names the wanted version where the protocol has no place for it (OpenAI, JSON)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation's standard path.

    requested: the version that the path or header names, None when it names none.
    by_body: the model's name stands in the body. stream: what the body's `stream` must be.
    methods: those that mean this operation; empty for any.
    server: answers for the server, not for the model: the first model of a host takes it.
    """

    path: str
    operation: Operation
    requested: str | None = None
    by_body: bool = False
    stream: bool | None = None
    header: ValueMatch | None = None
    server: bool = False
    prefix: bool = False
    methods: tuple[str, ...] = ()


def calls(protocol: str, name: str, versions: tuple[str, ...]) -> tuple[Call, ...]:
    """Every operation of the model that is served as `name`.

    versions: those that exist; a request may name one of them. For `json` the path is "" and means
    for every path of the route.
    """
    if protocol == "kserve-v2":
        return _kserve_v2(name, versions)
    if protocol == "kserve-v1":
        return (
            Call(path=f"/v1/models/{name}:predict", operation="infer"),
            Call(path=f"/v1/models/{name}:explain", operation="infer"),
            Call(path=f"/v1/models/{name}", operation="metadata"),
        )
    if protocol == "openai":
        return (
            *_by_header(_OPENAI_BODY, versions),
            # DELETE of this path takes the model away.
            Call(path=f"/v1/models/{name}", operation="metadata", methods=("GET", "HEAD")),
        )
    return _by_header((Call(path="", operation="infer", prefix=True),), versions)


def _kserve_v2(name: str, versions: tuple[str, ...]) -> tuple[Call, ...]:
    base = f"/v2/models/{name}"
    rows: list[Call] = []
    for version in (None, *versions):
        at = base if version is None else f"{base}/versions/{version}"
        rows += [
            Call(path=f"{at}/infer", operation="infer", requested=version),
            Call(path=f"{at}/generate", operation="infer", requested=version),
            Call(path=f"{at}/generate_stream", operation="stream", requested=version),
            Call(path=f"{at}/ready", operation="health", requested=version),
            Call(path=at, operation="metadata", requested=version),
        ]
    rows += [
        Call(path="/v2", operation="metadata", server=True),
        Call(path="/v2/health/live", operation="health", server=True),
        Call(path="/v2/health/ready", operation="health", server=True),
    ]
    return tuple(rows)


_OPENAI_BODY: tuple[Call, ...] = (
    Call(path="/v1/chat/completions", operation="stream", by_body=True, stream=True),
    Call(path="/v1/chat/completions", operation="infer", by_body=True, stream=False),
    Call(path="/v1/completions", operation="stream", by_body=True, stream=True),
    Call(path="/v1/completions", operation="infer", by_body=True, stream=False),
    Call(path="/v1/responses", operation="stream", by_body=True, stream=True),
    Call(path="/v1/responses", operation="infer", by_body=True, stream=False),
    Call(path="/v1/embeddings", operation="embeddings", by_body=True),
)


def _by_header(rows: tuple[Call, ...], versions: tuple[str, ...]) -> tuple[Call, ...]:
    """Each row once per version that the header may name, then for the header naming another
    version (requested "", never eligible), then without the header."""
    found: list[Call] = []
    for row in rows:
        named = [(v, ValueMatch(name=VERSION_HEADER, kind="exact", value=v)) for v in versions]
        named.append(("", ValueMatch(name=VERSION_HEADER, kind="regex", value=".*")))
        found += [
            Call(path=row.path, operation=row.operation, by_body=row.by_body, stream=row.stream,
                 prefix=row.prefix, requested=version, header=header)
            for version, header in named
        ]  # fmt: skip
        found.append(row)
    return tuple(found)

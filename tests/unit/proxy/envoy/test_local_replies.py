"""Local replies: every refusal is reachable, in both shapes, with a code for the record."""

from __future__ import annotations

from typing import Any

from gatereeve.core import refusals
from gatereeve.ir import record_fields
from gatereeve.ir.identity import Identity
from gatereeve.proxy.envoy import local_replies
from tests.support import ir_builders as ir

_BY_ROW = frozenset(
    {
        "tls-required",
        "unknown-host",
        "unknown-operation",
        "unknown-model",
        "misdirected-request",
        "strict-recording-unavailable",
        "policy-broken",
        "configuration-rejected",
    }
)
"""Only rows refuse with these: their code stands in the route's metadata."""


def _mappers(identity: Identity | None = None) -> list[Any]:
    return list(local_replies.build_local_replies(identity or Identity()).mappers)


def _code(mapper: Any) -> str:
    code: str = next(
        option.header.value
        for option in mapper.headers_to_add
        if option.header.key == record_fields.CODE_HEADER
    )
    return code


def test_every_code_is_given_by_a_mapper_or_a_row() -> None:
    found = {_code(mapper) for mapper in _mappers()}
    assert found - {"%METADATA(ROUTE:gatereeve:code)%"} == set(refusals.REFUSALS) - _BY_ROW


def test_each_case_stands_in_both_shapes() -> None:
    mappers = _mappers()
    for openai, problem in zip(mappers[::2], mappers[1::2], strict=True):
        assert _code(openai) == _code(problem)
        assert openai.body_format_override.content_type == "application/json"
        assert problem.body_format_override.content_type == "application/problem+json"
        assert openai.status_code == problem.status_code


def test_status_and_title_are_those_of_the_table() -> None:
    for mapper in _mappers()[1::2]:
        if mapper.HasField("status_code"):
            refusal = refusals.lookup(_code(mapper))
            body = mapper.body_format_override.json_format
            assert mapper.status_code.value == refusal.status == body["status"]
            assert body["title"] == refusal.title
            assert body["type"] == refusals.TYPE_BASE + refusal.code


def test_a_401_names_a_scheme() -> None:
    for identity, scheme in (
        (Identity(jwt=(ir.Issuer().provider(),)), "Bearer"),
        (Identity(api_keys=ir.api_keys(acme=())), "ApiKey"),
    ):
        for mapper in _mappers(identity):
            if mapper.status_code.value == 401:
                values = {o.header.key: o.header.value for o in mapper.headers_to_add}
                assert values["www-authenticate"].startswith(scheme)

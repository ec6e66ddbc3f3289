"""Before tokens are verified: an Authorization header that is not exactly one bearer token is refused.

jwt_authn searches the header for a token at any place, with any text around it, and overlooks
dots. So its form is judged here (RFC 9110 section 11.4, RFC 6750 section 2.1, RFC 7515 section 3.1):
`Bearer` in any case, one space, three parts of base64url without padding, the last as long as a
signature. The local reply says 401.
Inert except on routes that verify tokens.
"""

from __future__ import annotations

from typing import Final

from envoy.type.matcher.v3 import string_pb2
from google.protobuf import any_pb2

from gatereeve.proxy.envoy import names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter

HEADER: Final = "authorization"
_PART: Final = "[A-Za-z0-9_-]"
_SIGNATURE: Final = "|".join(
    (f"{_PART}{{86}}", f"{_PART}{{128}}", f"{_PART}{{176}}", f"{_PART}{{342}}{_PART}*")
)
"""The lengths of ES256 and EdDSA, ES384, ES512, and RSA from 2048 bits on (RFC 7518, 8037). Envoy
overlooks an odd byte after a signature of an elliptic curve."""
FORM: Final = rf"[Bb][Ee][Aa][Rr][Ee][Rr] {_PART}+\.{_PART}+\.(?:{_SIGNATURE})"
"""The whole header; several headers are one value with commas, which it does not take."""


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    if not context.gate.identity.jwt:
        return ()
    return (HttpFilter(name=names.AUTHORIZATION, config=rbac.filter_config(b"")),)


def requiring_one_token() -> any_pb2.Any:
    """For routes that verify tokens: no header, or one bearer token."""
    form = rbac.header(HEADER, string_pb2.StringMatcher(safe_regex={"regex": FORM}))
    odd = rbac.all_of([rbac.has_header(HEADER), rbac.negate(form)])
    rules = rbac.rules(rbac.DENY, {"no-bearer-token": rbac.policy(odd)})
    return rbac.per_route(rbac.config("authorization_", rules))


def requiring_nothing() -> any_pb2.Any:
    """For ordinary routes: the header is the application's."""
    return rbac.per_route(b"")

"""Takes off, towards models, the headers that servers believe (`core.trusted_headers`), and adds those in
which the gate says what it knows (`ir.header_access.CALLER_HEADERS`), where the Model asks for them.

Behind every filter that reads headers. The list stands once in each route configuration of exact
hosts, where ordinary routes that forward disable the filter. In the one of wildcard hosts no
filter can be disabled, so there each governed route brings the list. It must not stand on a virtual host: this
filter applies what every level says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import base_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import any_pb2

from gatereeve.core import trusted_headers
from gatereeve.ir import header_access, record_fields
from gatereeve.ir.gates import Requests
from gatereeve.ir.routes import CallerHeader
from gatereeve.proxy.envoy import identity_matchers, names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    """Without a route nothing goes to a model."""
    config = packing.pack(header_mutation_pb2.HeaderMutation())
    return (HttpFilter(name=names.REMOVAL, config=config),)


def removing(requests: Requests) -> any_pb2.Any:
    """For route configurations of exact hosts."""
    return packing.pack(_per_route([_taking_off(requests)]))


def handing_on(
    requests: Requests | None, matchers: IdentityMatchers, caller_headers: Sequence[CallerHeader]
) -> any_pb2.Any:
    """For governed rows: requests on wildcard hosts, which must take headers off themselves.

    caller_headers: what the gate says to the model; the first value that is there is the header's.
    """
    mutations = [] if requests is None else [_taking_off(requests)]
    for what in caller_headers:
        for header, values in _values(matchers, what):
            mutations += [_adding(header, value) for value in values]
    return packing.pack(_per_route(mutations))


def _values(matchers: IdentityMatchers, what: CallerHeader) -> Iterator[tuple[str, list[str]]]:
    """Headers, each with Envoy's expressions for its value in order of precedence."""
    names_ = header_access.CALLER_HEADERS[what]
    if what == "principal":
        provider, principal = names_
        yield provider, list(_of_callers(matchers, "provider"))
        yield principal, list(_of_callers(matchers, "id"))
    elif what == "groups":
        yield names_[0], list(_of_callers(matchers, "groups"))
    elif what == "record":
        yield names_[0], ["%STREAM_ID%"]
    else:
        attributes = matchers.attributes
        sources = attributes.region if what == "region" else attributes.purpose
        places = [identity_matchers.place(what, number, one) for number, one in enumerate(sources)]
        yield names_[0], [_metadata(namespace, path) for namespace, path in places]


def _of_callers(matchers: IdentityMatchers, key: str) -> Iterator[str]:
    """Of a token, else of an API key, else of a certificate, as rules ask (`matchers`)."""
    identity = matchers.identity
    for provider in identity.jwt:
        there = f"'{provider.name}' in metadata.filter_metadata['{record_fields.JWT_NAMESPACE}']"
        if key == "id":
            yield _metadata(record_fields.JWT_NAMESPACE, (provider.name, *provider.id_claim))
        elif key == "provider":
            yield f"%CEL({there} ? '{provider.name}' : '')%"
        else:
            if provider.groups_claim is not None:
                yield _metadata(
                    record_fields.JWT_NAMESPACE, (provider.name, *provider.groups_claim)
                )
            # Without groups of its own a token must not get those of another credential.
            yield f"%CEL({there} ? '[]' : '')%"
    if identity.api_keys is not None:
        yield _metadata(record_fields.APIKEY_NAMESPACE, (key,))
    if identity.mtls is not None:
        yield _metadata(record_fields.MTLS_NAMESPACE, (key,))


def _metadata(namespace: str, path: Sequence[str]) -> str:
    return f"%DYNAMIC_METADATA({namespace}:{':'.join(path)})%"


def _adding(header: str, value: str) -> mutation_rules_pb2.HeaderMutation:
    """An empty value adds nothing. Envoy refuses a value that no header can hold: 503."""
    option = base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=header, value=value), append_action="ADD_IF_ABSENT"
    )
    return mutation_rules_pb2.HeaderMutation(append=option)


def _taking_off(requests: Requests) -> mutation_rules_pb2.HeaderMutation:
    wanted = string_pb2.StringMatcher(
        safe_regex={"regex": trusted_headers.pattern(requests.identity_headers)}
    )
    kind = mutation_rules_pb2.HeaderMutation
    return kind(remove_on_match=kind.RemoveOnMatch(key_matcher=wanted))


def _per_route(
    mutations: list[mutation_rules_pb2.HeaderMutation],
) -> header_mutation_pb2.HeaderMutationPerRoute:
    return header_mutation_pb2.HeaderMutationPerRoute(
        mutations=header_mutation_pb2.Mutations(request_mutations=mutations)
    )

"""Client certificates: a name in a verified certificate becomes the caller's metadata.

One filter for URI names, one for DNS names; the first that writes stays. Several names of a kind
are one joined value to Envoy and match nothing: which was meant is not the gate's to guess. A URI
is compared as it is written (RFC 3986 section 6.2.1), a DNS name without case (RFC 4343).
"""

from __future__ import annotations

from envoy.extensions.matching.common_inputs.ssl.v3 import ssl_inputs_pb2
from google.protobuf import any_pb2
from xds.type.matcher.v3 import matcher_pb2

from gatereeve.ir import record_fields
from gatereeve.ir.identity import CertificateIdentity, MtlsProvider
from gatereeve.proxy.envoy import names
from gatereeve.proxy.envoy.filters import matching
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    provider = context.gate.identity.mtls
    if provider is None:
        return ()
    by_uri = {i.uri: i for i in reversed(provider.identities) if i.uri is not None}
    by_dns = {i.dns: i for i in reversed(provider.identities) if i.dns is not None}
    uri, dns = ssl_inputs_pb2.UriSanInput(), ssl_inputs_pb2.DnsSanInput()
    return (
        _filter(names.CERTIFICATE_URI, matching.by_exact(uri, _writers(provider, by_uri))),
        _filter(names.CERTIFICATE_DNS, matching.by_name(dns, _writers(provider, by_dns))),
    )


def _writers(
    provider: MtlsProvider, known: dict[str, CertificateIdentity]
) -> dict[str, any_pb2.Any]:
    return {
        name: matching.writing(
            record_fields.MTLS_NAMESPACE,
            {"provider": provider.name, "id": identity.id, "groups": list(identity.groups)},
        )
        for name, identity in known.items()
    }


def _filter(name: str, matcher: matcher_pb2.Matcher) -> HttpFilter:
    return HttpFilter(name=name, config=matching.composite(matcher), discovered=True)

"""Client certificates: a name in a verified certificate becomes the caller's metadata.

One filter for URI names, one for DNS names; the first that writes stays. Several names of a kind
are one joined value to Envoy and match nothing: which was meant is not the gate's to guess.
"""

from __future__ import annotations

from envoy.extensions.matching.common_inputs.ssl.v3 import ssl_inputs_pb2
from google.protobuf.message import Message

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
        _filter(names.CERTIFICATE_URI, uri, provider, by_uri),
        _filter(names.CERTIFICATE_DNS, dns, provider, by_dns),
    )


def _filter(
    name: str, source: Message, provider: MtlsProvider, known: dict[str, CertificateIdentity]
) -> HttpFilter:
    filters = {
        san: matching.writing(
            record_fields.MTLS_NAMESPACE,
            {"provider": provider.name, "id": one.id, "groups": list(one.groups)},
        )
        for san, one in known.items()
    }
    config = matching.composite(matching.by_exact(source, filters))
    return HttpFilter(name=name, config=config, discovered=True)

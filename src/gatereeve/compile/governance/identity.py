"""Gate documents to identity and attributes: providers, vetted keys, region and purpose sources.

A provider whose keys cannot be used stays configured and admits no caller: its tokens are refused
rather than ignored. Pure; key material arrives through the World.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterable

from gatereeve.api import gate as gate_api
from gatereeve.api.world import GateDoc, World
from gatereeve.compile import tls
from gatereeve.compile.governance import key_sets
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report
from gatereeve.ir import identity as ir

_MIN_API_KEY_CHARS = 16


def compile_identity(world: World, doc: GateDoc) -> tuple[ir.Identity, tuple[Finding, ...]]:
    """The identity providers of one gate, keys vetted."""
    report = Report(doc)
    spec = doc.spec.identity
    jwt = tuple(_jwt(world, report, index, provider) for index, provider in enumerate(spec.jwt))
    keys = None if spec.api_keys is None else _api_keys(world, report, spec.api_keys)
    mtls = None if spec.mtls is None else _mtls(world, report, spec.mtls)
    return ir.Identity(jwt=jwt, api_keys=keys, mtls=mtls), tuple(report.findings)


def _jwt(
    world: World, report: Report[GateDoc], index: int, provider: gate_api.JwtProvider
) -> ir.JwtProvider:
    path = f"spec.identity.jwt[{index}]"
    claims = provider.claims
    return ir.JwtProvider(
        name=provider.name,
        issuer=provider.issuer,
        audiences=tuple(sorted(provider.audiences)),
        jwks=_key_set(world, report, f"{path}.jwks", provider),
        id_claim=tuple(claims.id.split(".")),
        groups_claim=None if claims.groups is None else tuple(claims.groups.split(".")),
        leeway_s=provider.leeway_seconds,
        origin=report.doc.origin(path),
    )


def _key_set(
    world: World, report: Report[GateDoc], path: str, provider: gate_api.JwtProvider
) -> str:
    """The provider's usable keys as canonical JSON; without any, every token of it is refused."""
    text, problem = _jwks_text(world, provider.jwks)
    if text is None:
        code = "missing-file.key-set" if provider.jwks.remote is None else "jwks-unavailable"
        report(code, path, provider=provider.name, problem=problem)
        return key_sets.EMPTY
    keys = key_sets.read_key_set(text)
    for refused in keys.refused:
        report("jwks-key-refused", path, provider=provider.name, problem=refused)
    if keys.problem is not None:
        report("jwks-invalid", path, provider=provider.name, problem=keys.problem)
    return keys.text


def _jwks_text(world: World, jwks: gate_api.Jwks) -> tuple[str | None, str]:
    if jwks.inline is not None:
        return jwks.inline, ""
    if jwks.remote is not None:
        text = world.jwks.get(jwks.remote.uri)
        return text, f"there are no keys from {jwks.remote.uri}"
    if jwks.source is None:  # the type admits exactly one of the three
        return None, "no key set is given"
    data, problem = read_bytes(world, jwks.source, default_key="jwks.json")
    return (None if data is None else data.decode("utf-8", "replace")), problem


def read_bytes(
    world: World, source: gate_api.FileOrSecretKey, *, default_key: str
) -> tuple[bytes | None, str]:
    """The bytes a Gate names and "", or None and why not."""
    if source.file is not None:
        data = world.files.get(source.file)
        return data, "" if data is not None else f"file {source.file} cannot be read"
    if source.secret is None:  # the type admits exactly one of the two
        return None, "no source is given"
    return secret_value(
        world, source.secret.namespace, source.secret.name, source.key or default_key
    )


def secret_value(world: World, namespace: str, name: str, key: str) -> tuple[bytes | None, str]:
    """One entry of a Secret, or None and why not; the reason never holds the value."""
    secret = world.secrets.get((namespace, name))
    if secret is None:
        return None, f"Secret {namespace}/{name} does not exist"
    if key in secret.spec.string_data:
        return secret.spec.string_data[key].encode(), ""
    if key not in secret.spec.data:
        return None, f"Secret {namespace}/{name} has no key {key!r}"
    try:
        return base64.b64decode(secret.spec.data[key], validate=True), ""
    except (binascii.Error, ValueError):
        return None, f"Secret {namespace}/{name}: key {key!r} is not base64"


def _api_keys(
    world: World, report: Report[GateDoc], spec: gate_api.ApiKeyProvider
) -> ir.ApiKeyProvider:
    keys: list[ir.ApiKey] = []
    owner_of: dict[str, str] = {}
    for index, key in enumerate(spec.keys):
        path = f"spec.identity.apiKeys.keys[{index}]"
        value, problem = secret_value(world, key.secret.namespace, key.secret.name, key.key)
        secret = "" if value is None else value.decode("latin-1")
        if value is not None:
            problem = _api_key_problem(secret, owner_of)
        if problem:
            report("api-key-invalid", path, id=key.id, problem=problem)
            continue
        owner_of[secret] = key.id
        keys.append(
            ir.ApiKey(
                id=key.id,
                groups=tuple(sorted(key.groups)),
                secret=secret,
                origin=report.doc.origin(path),
            )
        )
    keys.sort(key=lambda k: (k.id, k.secret))
    return ir.ApiKeyProvider(
        name=spec.name, header=spec.header.lower(), keys=tuple(keys), origin=report.doc.origin("spec.identity.apiKeys")
    )  # fmt: skip


def _api_key_problem(secret: str, owner_of: dict[str, str]) -> str:
    if secret[-1:] in ("\n", "\r"):
        return "ends with a line break, which no client can send"
    if not all("!" <= char <= "~" for char in secret):
        return "holds a character that no client can send: a space, a control character or one beyond ASCII"
    if "," in secret:
        return "holds a comma: it would look like two keys in two headers"
    if not _MIN_API_KEY_CHARS <= len(secret) <= 512:
        return f"has {len(secret)} characters"
    if secret in owner_of:
        return f"is the key of {owner_of[secret]} as well"
    return ""


def _mtls(
    world: World, report: Report[GateDoc], spec: gate_api.MtlsProvider
) -> ir.MtlsProvider | None:
    path = "spec.identity.mtls.ca"
    data, problem = read_bytes(world, spec.ca, default_key="ca.crt")
    authorities = None if data is None else tls.read_chain(data)
    if data is not None and authorities is None:
        problem = "is not a PEM certificate"
    if problem or authorities is None:
        report("client-ca-invalid", path, provider=spec.name, problem=problem)
        return None
    identities = tuple(
        ir.CertificateIdentity(
            id=item.id,
            groups=tuple(sorted(item.groups)),
            uri=item.uri,
            dns=None if item.dns is None else item.dns.lower(),
            origin=report.doc.origin(f"spec.identity.mtls.identities[{index}]"),
        )
        for index, item in enumerate(spec.identities)
    )
    return ir.MtlsProvider(
        name=spec.name, ca=tls.write_chain(authorities), identities=identities, origin=report.doc.origin("spec.identity.mtls")
    )  # fmt: skip


def compile_attributes(world: World, doc: GateDoc) -> tuple[ir.Attributes, tuple[Finding, ...]]:
    """Where region and purpose come from, tables flattened."""
    report = Report(doc)
    attributes = doc.spec.attributes
    jwt_names = {provider.name for provider in doc.spec.identity.jwt}
    region: list[ir.ClaimSource | ir.HeaderSource | ir.CidrSource] = []
    for index, source in enumerate(attributes.region):
        path = f"spec.attributes.region[{index}]"
        if source.claim is not None:
            region.extend(_claim(report, source.claim, path, jwt_names))
        elif source.header is not None:
            region.append(_header(report, source.header, path))
        elif source.cidrs is not None:
            rows = [(cidr, item.region) for item in source.cidrs for cidr in item.cidrs]
            region.append(ir.CidrSource(entries=_networks(report, path, rows)))
        elif source.geoip is not None:
            region.extend(_geoip(world, report, source.geoip, path))
    purpose: list[ir.ClaimSource | ir.HeaderSource] = []
    for index, item in enumerate(attributes.purpose):
        path = f"spec.attributes.purpose[{index}]"
        if item.claim is not None:
            purpose.extend(_claim(report, item.claim, path, jwt_names))
        elif item.header is not None:
            purpose.append(_header(report, item.header, path))
    return ir.Attributes(region=tuple(region), purpose=tuple(purpose)), tuple(report.findings)


def _claim(
    report: Report[GateDoc], source: gate_api.ClaimSource, path: str, jwt_names: set[str]
) -> Iterable[ir.ClaimSource]:
    if source.provider not in jwt_names:
        report(
            "provider-unknown.jwt",
            f"{path}.claim",
            provider=source.provider,
            known=sorted(jwt_names),
        )
        return
    yield ir.ClaimSource(provider=source.provider, claim=tuple(source.claim.split(".")))


def _header(report: Report[GateDoc], source: gate_api.HeaderSource, path: str) -> ir.HeaderSource:
    rows = _networks(report, f"{path}.header.from", [(c, "") for c in source.from_])
    if any(ipaddress.ip_network(cidr).prefixlen == 0 for cidr, _ in rows):
        report("header-trusted-everywhere", f"{path}.header.from", header=source.name)
    return ir.HeaderSource(name=source.name.lower(), trusted=tuple(cidr for cidr, _ in rows))


def _geoip(
    world: World, report: Report[GateDoc], source: gate_api.GeoIpSource, path: str
) -> Iterable[ir.CidrSource]:
    table = world.geo.get(source.database)
    if table is None:
        report("geoip-invalid", f"{path}.geoip", file=source.database)
        return
    yield ir.CidrSource(entries=table.entries)


def _networks(
    report: Report[GateDoc], path: str, rows: list[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    networks: dict[ipaddress.IPv4Network | ipaddress.IPv6Network, str] = {}
    for cidr, value in rows:
        try:
            network = ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            report("invalid-field.network", path, value=cidr)
            continue
        if networks.setdefault(network, value) != value:
            report(
                "invalid-field.network-twice",
                path,
                network=cidr,
                first=networks[network],
                second=value,
            )
    ordered = sorted(networks, key=lambda n: (n.version, n.network_address.packed, n.prefixlen))
    return tuple((str(network), networks[network]) for network in ordered)

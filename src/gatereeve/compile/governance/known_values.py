"""What a condition of a deny rule can match at all, as far as a Gate lets it be known.

A deny rule with a name that nothing can have denies nothing, so its author meant something else.
Known are: the providers of all Gates; callers and groups of API keys and certificates, which the
Gate lists; whether a JWT provider has groups; regions; whether there is any source of purposes. A
region that a claim or a header says has two letters, or the Gate names it. Not known are callers and
groups of a JWT provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gatereeve.api.gate import ApiKey, CertificateIdentity, GateSpec
from gatereeve.ir.identity import Attributes, CidrSource

_COUNTRY = 2
"""Letters of a country in a GeoIP database, a claim or a header; which of them come is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownValues:
    """By provider the ids and the groups that its callers can have; None where any may come.

    regions: those that a source can yield. countries: any two letters can be one.
    no_regions, no_purposes: why a request may have none although it should, "" otherwise.
    """

    ids: Mapping[str, frozenset[str] | None]
    groups: Mapping[str, frozenset[str] | None]
    regions: frozenset[str]
    countries: bool
    no_regions: str
    no_purposes: str

    def misses_id(self, provider: str, name: str) -> str:
        """Why no caller can be `provider/name`, "" when one can."""
        return _misses(self.ids, provider, name, "caller")

    def misses_group(self, provider: str, name: str) -> str:
        """Why no caller can be in the group, "" when one can."""
        return _misses(self.groups, provider, name, "group")

    def misses_region(self, region: str) -> str:
        """Why no request can come from `region`, "" when one can."""
        if self.no_regions:
            return self.no_regions
        if region in self.regions or (self.countries and len(region) == _COUNTRY):
            return ""
        rest = ", and no regionGroup of the Gate names it" if self.countries else ""
        return f"no source of regions yields {region!r}{rest}"


def _misses(known: Mapping[str, frozenset[str] | None], provider: str, name: str, what: str) -> str:
    if provider not in known:
        return f"no Gate has an identity provider {provider!r}"
    names = known[provider]
    return "" if names is None or name in names else f"provider {provider} has no {what} {name!r}"


def known_values(gate: GateSpec, attributes: Attributes, gates: Iterable[GateSpec]) -> KnownValues:
    """attributes: of `gate`, compiled. gates: all there are; a provider may be another's."""
    ids: dict[str, frozenset[str] | None] = {}
    groups: dict[str, frozenset[str] | None] = {}
    for spec in gates:
        for provider in spec.identity.jwt:
            _add(ids, provider.name, None)
            _add(groups, provider.name, None if provider.claims.groups else ())
        keys, mtls = spec.identity.api_keys, spec.identity.mtls
        if keys is not None:
            _add_listed(ids, groups, keys.name, keys.keys)
        if mtls is not None:
            _add_listed(ids, groups, mtls.name, mtls.identities)
    return KnownValues(
        ids=ids,
        groups=groups,
        regions=_regions(gate, attributes),
        countries=any(source.geoip is not None for source in gate.attributes.region)
        or any(not isinstance(source, CidrSource) for source in attributes.region),
        no_regions=_lacking(len(attributes.region), len(gate.attributes.region), "region"),
        no_purposes=_lacking(len(attributes.purpose), len(gate.attributes.purpose), "purpose"),
    )


def _add_listed(
    ids: dict[str, frozenset[str] | None],
    groups: dict[str, frozenset[str] | None],
    provider: str,
    listed: Sequence[ApiKey] | Sequence[CertificateIdentity],
) -> None:
    """A Gate always lists some; a thin one of a review (`admission.world_subset`) lists none."""
    _add(ids, provider, [entry.id for entry in listed] or None)
    _add(
        groups, provider, [group for entry in listed for group in entry.groups] if listed else None
    )


def _add(
    known: dict[str, frozenset[str] | None], provider: str, names: Iterable[str] | None
) -> None:
    before = known.get(provider, frozenset())
    known[provider] = None if names is None or before is None else before | frozenset(names)


def _lacking(working: int, written: int, what: str) -> str:
    if not written:
        return f"the Gate has no source of {what}s"
    return f"a source of {what}s of the Gate does not work" if working < written else ""


def _regions(gate: GateSpec, attributes: Attributes) -> frozenset[str]:
    """Regions of tables, and groups that hold one of them; with a claim or a header as source, all
    that the Gate names."""
    regions: set[str] = set()
    for source in attributes.region:
        if isinstance(source, CidrSource):
            regions.update(region for _, region in source.entries)
        else:
            regions.update((gate.region, *(r for g in gate.region_groups for r in g.regions)))
    regions.update(g.name for g in gate.region_groups if regions & set(g.regions))
    return frozenset(regions)

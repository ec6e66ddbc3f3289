"""Network tables without overlaps mean the same as with: the longest prefix decides."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from gatereeve.proxy.envoy.filters import attributes

_NETWORKS = st.builds(
    lambda address, length: str(ipaddress.ip_network((address, length), strict=False)),
    st.integers(0, 2**12 - 1).map(lambda n: n << 20),
    st.integers(0, 12),
)


@given(
    table=st.dictionaries(_NETWORKS, st.sampled_from(("de", "fr", "us")), max_size=8),
    address=st.integers(0, 2**32 - 1),
)
def test_the_longest_prefix_decides(table: dict[str, str], address: int) -> None:
    asked = ipaddress.IPv4Address(address)
    holding = [ipaddress.ip_network(n) for n in table if asked in ipaddress.ip_network(n)]
    wanted = table[str(max(holding, key=lambda n: n.prefixlen))] if holding else None
    found = [region for n, region in attributes.disjoint(table.items()) if asked in n]
    assert found == ([] if wanted is None else [wanted])


def test_both_families_side_by_side() -> None:
    table = [("10.0.0.0/8", "de"), ("::/0", "fr"), ("10.1.0.0/16", "us")]
    found = dict.fromkeys(region for _, region in attributes.disjoint(table))
    assert set(found) == {"de", "fr", "us"}

"""What a HostGrant of a test says besides hosts: every Service, and the addresses that tests use.

As YAML in flow style, to be put among the fields of a spec, and as a value.
"""

from __future__ import annotations

from typing import Any

_CIDRS = ("10.0.0.0/8", "127.0.0.0/8", "192.0.2.0/24", "::1/128", "fd00::/16", "2001:db8::/32")

SERVICES = "backends: {selector: {all: true}}"
ADDRESSES = f"addresses: [{', '.join(f'{{cidr: {cidr!r}}}' for cidr in _CIDRS)}]"
OPEN = f"{SERVICES}, {ADDRESSES}"
OPEN_FIELDS: dict[str, Any] = {
    "backends": {"selector": {"all": True}},
    "addresses": [{"cidr": cidr} for cidr in _CIDRS],
}

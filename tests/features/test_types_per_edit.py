"""Which xDS types an edit may touch: one table, held over the real wire.

What is not in the row may not change: a rotated key drains no connection, an address that comes
warms no route, a rule of one model moves no other model's host. Beside these, every edit changes
the one filter that carries the configuration's hash.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features import documents as docs
from tests.features.folder_gate import serving_folder

pytestmark = pytest.mark.features

SECOND = "model/shop/offers/2"

# what · files that are written (None: removed) · the types that change, and only they
EDITS: dict[str, tuple[dict[str, str | None], set[str]]] = {
    "nothing": ({}, set()),
    "a comment": ({"policy": "# for staff\n" + docs.POLICY}, set()),
    "a rule's subject": ({"policy": docs.POLICY.replace("corp/staff", "corp/x")}, {"RDS"}),
    "a policy goes": ({"policy": None}, {"RDS"}),
    "a limit": (
        {"policy": docs.POLICY.replace("{name: staff,", "{name: staff, limits: {requests: {count: 5}},")},
        {"RDS"},
    ),
    "a version comes": ({"version2": docs.version(2)}, {"CDS", "EDS", "RDS"}),
    "a version goes": ({"version1": None}, {"CDS", "EDS", "RDS"}),
    "a version's timeout": ({"version1": docs.version(1, bounds="{timeoutSeconds: 7}")}, {"RDS"}),
    "a version's bound": ({"version1": docs.version(1, bounds="{requests: 7}")}, {"CDS", "RDS"}),
    "an owner": ({"model": docs.MODEL.replace("shop-team", "web-team")}, {"RDS"}),
    "a host": ({"route": docs.ROUTE.replace(docs.HOST, "deals.example")}, {"SRDS", "RDS"}),
    "an address": ({"slices": docs.slices("10.1.0.6")}, {"EDS"}),
    "signing keys": ({"corp": docs.signing_keys("next")}, {"ECDS"}),
    "an API key": ({"acme": docs.api_key("acme", 1)}, {"ECDS"}),
    "a certificate": ({"tls": docs.tls(1)}, {"SDS"}),
    "a grant goes": ({"grant": None}, {"CDS", "EDS", "SRDS", "RDS"}),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
async def test_only_these_types_change(tmp_path: Path, what: str) -> None:
    files, types = EDITS[what]
    async with serving_folder(tmp_path, **docs.base()) as gate:
        others = {
            (listener, host): gate.host(host, listener)
            for listener in ("http", "https")
            for host in ("web.example", "unknown-host")
        }
        for name in [name for name, text in files.items() if text is None]:
            (tmp_path / f"{name}.yaml").unlink()
        change = await gate.write(**{n: text for n, text in files.items() if text is not None})
        assert change.types == types, change.names
        if what != "a grant goes":
            assert others == {place: gate.host(place[1], place[0]) for place in others}

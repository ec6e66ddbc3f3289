"""One request as an attack, in HTTP/1.1 and in HTTP/2: the same fields over both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.attacks import wire
from tests.attacks.battery import Attack, Spoilt
from tests.attacks.documents import host as host_of
from tests.attacks.servers import MARK

Header = tuple[str, str]


def both(
    mark: str,
    at: str,
    headers: Sequence[Header] = (),
    *,
    target: str = "/",
    method: str = "POST",
    body: bytes = b"{}",
    may: frozenset[str] = frozenset(),
    control: bool = False,
    spoilt: Spoilt | None = None,
) -> Iterator[Attack]:
    """at: a host's short name. Bytes above 0x7f stand as latin-1."""
    name = host_of(at)
    lines = [f"{key}: {value}" for key, value in headers]
    one = f"{mark}/h1"
    yield Attack(
        id=one, sni=name, may=may, control=control, spoilt=spoilt,
        data=wire.request(target, *lines, mark=one, host=name, body=body, method=method),
    )  # fmt: skip
    two = f"{mark}/h2"
    fields = [(":method", method), (":scheme", "https"), (":authority", name), (":path", target)]
    own = [(key.lower(), value) for key, value in headers]
    yield Attack(
        id=two, sni=name, may=may, control=control, spoilt=spoilt, data=body,
        fields=(*fields, (MARK, two), *own),
    )  # fmt: skip

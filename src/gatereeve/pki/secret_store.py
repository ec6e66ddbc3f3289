"""Certificates and keys as Secrets of the controllers' namespace: the `KeyStore` of a cluster.

A bundle `x` is the Secret `gatereeve-x` of type kubernetes.io/tls, with `ca.crt` beside certificate
and key, so that a pod can mount it as it is. The API server replaces a Secret whole. A Secret of
that name that is not labelled as ours is never read and never written over.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

from gatereeve.core import errors
from gatereeve.pki.certificate_plan import Bundle
from gatereeve.pki.stores import CERTIFICATE, KEY, TRUST
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import list_all, resources

PREFIX: Final = "gatereeve-"
LABEL: Final = "gatereeve.dev/bundle"
"""Label of our Secrets: the bundle's name."""

_NO_TRUST: Final = b"\n"
"""In `ca.crt` of an authority's own Secret: an entry without content is left out by some tools."""


class SecretStore:
    """See the module and `key_store.KeyStore`."""

    def __init__(self, client: kube.ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def load(self) -> Mapping[str, Bundle]:
        found: dict[str, Bundle] = {}
        with _translated(self._namespace):
            scope = kube.ListScope(resource=resources.SECRETS, namespace=self._namespace)
            for item in await list_all.everything(self._client, scope):
                name, bundle = _read(item)
                if name:
                    found[name] = bundle
        return found

    async def save(self, name: str, bundle: Bundle) -> None:
        with _translated(self._namespace):
            await self._refuse_foreign(name)
            await self._client.apply(
                resources.SECRETS, self._namespace, PREFIX + name, self._secret(name, bundle)
            )

    async def remove(self, name: str) -> None:
        with _translated(self._namespace), contextlib.suppress(errors.ApiMissingError):
            await self._refuse_foreign(name)
            await self._client.delete(resources.SECRETS, self._namespace, PREFIX + name)

    async def _refuse_foreign(self, name: str) -> None:
        """Raises PublishError for somebody else's Secret; returns when there is none, or ours."""
        try:
            body = await self._client.get(resources.SECRETS, self._namespace, PREFIX + name)
        except errors.ApiMissingError:
            return
        if _label(kube.decode(body, "get Secret")) != name:
            raise errors.PublishError(
                f"Secret {self._namespace}/{PREFIX}{name} is not ours: it lacks the label {LABEL}",
                hint="rename or delete it; until then this certificate is not issued",
            )

    def _secret(self, name: str, bundle: Bundle) -> kube.Object:
        data: kube.Object = {
            CERTIFICATE: _encoded(bundle.certificate),
            KEY: _encoded(bundle.key),
            TRUST: _encoded(bundle.trust or _NO_TRUST),
        }
        return {
            "apiVersion": resources.SECRETS.api_version,
            "kind": resources.SECRETS.kind,
            "metadata": {
                "name": PREFIX + name,
                "namespace": self._namespace,
                "labels": {LABEL: name, "app.kubernetes.io/managed-by": "gatereeve"},
            },
            "type": "kubernetes.io/tls",
            "data": data,
        }


def _label(item: kube.Object) -> str:
    metadata = item.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    label = labels.get(LABEL) if isinstance(labels, dict) else None
    return label if isinstance(label, str) else ""


def _read(item: kube.Object) -> tuple[str, Bundle]:
    """Name and content; name "" for what is not ours or has lost a part."""
    name, metadata, data = _label(item), item.get("metadata"), item.get("data")
    if not isinstance(metadata, dict) or metadata.get("name") != PREFIX + name:
        name = ""
    parts = [_decoded(data.get(part)) if isinstance(data, dict) else b"" for part in
             (CERTIFICATE, KEY, TRUST)]  # fmt: skip
    trust = b"" if parts[2] == _NO_TRUST else parts[2]
    return name, Bundle(certificate=parts[0], key=parts[1], trust=trust)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decoded(value: kube.Json) -> bytes:
    """What cannot be decoded is empty, and so no certificate."""
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except binascii.Error:
        return b""


@contextlib.contextmanager
def _translated(namespace: str) -> Iterator[None]:
    try:
        yield
    except errors.ApiError as error:
        raise errors.PublishError(
            f"certificates cannot be kept in namespace {namespace}: {error}",
            hint=error.hint or "what was issued stays in use until it expires",
        ) from error

"""The `KeyStore` of a cluster: certificates and keys as Secrets of the controllers' namespace.

A bundle `x` is the Secret `gatereeve-x` of type kubernetes.io/tls with `ca.crt`, so that pods can mount it.
A Secret of that name without our label is neither read nor written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

from gatereeve.core import errors
from gatereeve.pki.certificate_plan import Bundle
from gatereeve.pki.stores import CERTIFICATE, KEY, TRUST
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import list_all, resources
from gatereeve.sources.kube.typed_objects import Metadata, Secret

PREFIX: Final = "gatereeve-"
LABEL: Final = "gatereeve.dev/bundle"
"""Label of our Secrets: the name of the bundle."""

_NO_TRUST: Final = b"\n"
"""`ca.crt` of an authority; some tools omit entries without content."""


class SecretStore:
    """See the module and `stores.KeyStore`."""

    def __init__(self, client: kube.ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def load(self) -> Mapping[str, Bundle]:
        bundles: dict[str, Bundle] = {}
        with _translate_errors(self._namespace):
            scope = kube.ListScope(resource=resources.SECRETS, namespace=self._namespace)
            for item in await list_all.everything_as(self._client, scope, Secret):
                name, bundle = _read(item)
                if name:
                    bundles[name] = bundle
        return bundles

    async def save(self, name: str, bundle: Bundle) -> None:
        with _translate_errors(self._namespace):
            await self._refuse_foreign(name)
            await self._client.apply(
                resources.SECRETS, self._namespace, PREFIX + name, self._make_secret(name, bundle)
            )

    async def remove(self, name: str) -> None:
        with _translate_errors(self._namespace), contextlib.suppress(errors.ApiMissingError):
            await self._refuse_foreign(name)
            await self._client.delete(resources.SECRETS, self._namespace, PREFIX + name)

    async def _refuse_foreign(self, name: str) -> None:
        """Raise PublishError for an existing Secret without our label."""
        try:
            body = await self._client.get(resources.SECRETS, self._namespace, PREFIX + name)
        except errors.ApiMissingError:
            return
        if _read_label(kube.decode_as(body, "get Secret", Secret)) != name:
            raise errors.PublishError(
                f"Secret {self._namespace}/{PREFIX}{name} does not have the label {LABEL}",
                hint="rename or delete it; until then this certificate is not issued",
            )

    def _make_secret(self, name: str, bundle: Bundle) -> Secret:
        return Secret(
            metadata=Metadata(
                name=PREFIX + name,
                namespace=self._namespace,
                labels={LABEL: name, "app.kubernetes.io/managed-by": "gatereeve"},
            ),
            type="kubernetes.io/tls",
            data={CERTIFICATE: bundle.certificate, KEY: bundle.key, TRUST: bundle.trust or _NO_TRUST},
        )  # fmt: skip


def _read_label(secret: Secret) -> str:
    return (secret.metadata.labels or {}).get(LABEL, "")


def _read(secret: Secret) -> tuple[str, Bundle]:
    """Return name and content; the name is "" without our label."""
    name = _read_label(secret)
    if secret.metadata.name != PREFIX + name:
        name = ""
    certificate, key, trust = (secret.data.get(part, b"") for part in (CERTIFICATE, KEY, TRUST))
    trust = b"" if trust == _NO_TRUST else trust
    return name, Bundle(certificate=certificate, key=key, trust=trust)


@contextlib.contextmanager
def _translate_errors(namespace: str) -> Iterator[None]:
    try:
        yield
    except errors.ApiError as error:
        raise errors.PublishError(
            f"certificates cannot be stored in namespace {namespace}: {error}",
            hint=error.hint or "issued certificates stay in use until they expire",
        ) from error

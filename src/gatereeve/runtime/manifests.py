"""Plain manifests of an installation, for those without Helm: the chart as Helm renders it.

`manifests.yaml` beside this module is written by `make generate`, with words in the places of what an
installer chooses. Here the words are replaced, and nothing else: Helm is not done over again in
Python (decision 0036). For other choices, use the chart.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

from gatereeve.api.crd import crds
from gatereeve.core.errors import SettingsError

NAMESPACE: Final = "invalid-namespace"
GATE: Final = "invalid-gate"
IMAGE: Final = "gatereeve.invalid/image:none"
"""What stands in the places of namespace, Gate and image. Nothing can own `.invalid` (RFC 2606)."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_GATE = r"[a-z0-9]([a-z0-9-]{0,45}[a-z0-9])?"
_REFERENCE = (
    r"[a-z0-9][a-z0-9._/:-]{0,254}(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def definitions() -> str:
    """Our CustomResourceDefinitions, as one YAML stream."""
    return "".join(f"---\n{text}" for text in crds().values())


def manifests(*, namespace: str, image: str, gate: str, gateway_api: bool) -> str:
    """Everything but the definitions, as one YAML stream. Raises SettingsError for unusable names.

    gateway_api: the cluster has Gateway API, so there can be a GatewayClass.
    """
    for what, value, pattern in (
        ("namespace", namespace, _LABEL), ("image", image, _REFERENCE), ("name of a Gate", gate, _GATE),
    ):  # fmt: skip
        if not re.fullmatch(pattern, value):
            raise SettingsError(f"{value!r} is no {what}", hint=f"it must match {pattern}")
    text = resources.files(__package__).joinpath("manifests.yaml").read_text(encoding="utf-8")
    if not gateway_api:
        text = "".join(
            part
            for part in re.split(r"(?m)^(?=---\n)", text)
            if "\nkind: GatewayClass\n" not in part
        )
    for place, value in ((NAMESPACE, namespace), (GATE, gate), (IMAGE, image)):
        text = text.replace(place, value)
    return text

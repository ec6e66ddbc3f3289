"""The settings of ingress-nginx: what each is worth and what becomes of it behind a Gate.

`nginx_settings.yaml` holds the published annotations (user guide, "Annotations" and "Annotations Scope
and Risk"), their aliases, annotations of earlier controllers, and ConfigMap keys. A test compares it with
the published list and with `compile.routes.foreign_annotations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

import yaml

Worth = Literal["protection", "traffic", "tuning"]
"""protection: it controls access or hides a secret · traffic: clients or servers notice it · tuning."""

Fate = Literal["kept", "moves", "lost"]
"""kept: a Gate does the same · moves: another document states it · lost: nothing replaces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One annotation (without its prefix) or ConfigMap key.

    does: its effect, for a reader who never used it. by: the document and field that replace it, or what
    to do without it. models_only: replaced on routes to models, not on routes to other Services.
    injects: how its value reached the configuration of nginx. weak: values that remove a protection, and
    why. no_effect: further values that change nothing.
    """

    name: str
    worth: Worth
    fate: Fate
    does: str
    by: str
    models_only: bool = False
    injects: str = ""
    weak: tuple[tuple[str, str], ...] = ()
    no_effect: tuple[str, ...] = ()

    def code(self, *, for_models: bool) -> str:
        """Return the finding code. for_models: whether the route leads to models only."""
        lost = self.fate == "lost" or (self.models_only and not for_models)
        if self.worth == "tuning":
            return "nginx-tuning-dropped"
        if self.fate == "kept" and not lost:
            return "nginx-setting-kept"
        return f"nginx-{self.worth}-{'lost' if lost else 'moves'}"

    @property
    def is_text(self) -> bool:
        """Whether the whole value becomes configuration of nginx, by design."""
        return self.injects.startswith("text")

    def weakness(self, value: str) -> str:
        """Return how the value removes a protection, or ""."""
        return next((why for weak, why in self.weak if weak == value.strip().lower()), "")

    def is_off(self, value: str) -> bool:
        """Whether the value has no effect."""
        return value.strip().lower() in ("false", "", *self.no_effect)


def _read_settings(groups: list[dict[str, Any]]) -> dict[str, Setting]:
    return {
        name: Setting(
            name=name,
            does=does,
            **{
                key: value
                for key, value in group.items()
                if key not in ("settings", "weak", "no_effect")
            },
            weak=tuple(group.get("weak", {}).items()),
            no_effect=tuple(group.get("no_effect", ())),
        )
        for group in groups
        for name, does in group["settings"].items()
    }


_DATA = yaml.load(
    (resources.files(__package__) / "nginx_settings.yaml").read_text("utf-8"), yaml.CSafeLoader
)
VERSION: Final[str] = _DATA["version"]
"""The version whose published list the annotations follow."""
ANNOTATIONS: Final[Mapping[str, Setting]] = _read_settings(_DATA["annotations"])
KEYS: Final[Mapping[str, Setting]] = _read_settings(_DATA["keys"])
DEFAULTS: Final[tuple[str, ...]] = tuple(_DATA["defaults"])
"""Keys that protect although no ConfigMap sets them."""

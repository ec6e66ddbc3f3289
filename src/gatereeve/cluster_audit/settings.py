"""What a setting of ingress-nginx is worth, and what becomes of it: the type of two tables.

`nginx_annotations` and `nginx_configuration` hold the rows, `migration` reads them, and the
reference page is generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Worth = Literal["protection", "traffic", "tuning"]
"""protection: keeps somebody out or something secret · traffic: clients or servers notice · tuning."""

Fate = Literal["kept", "moves", "lost"]
"""kept: a gate does it by itself · moves: a document says it, in other words · lost: nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One annotation (without its prefix) or ConfigMap key.

    does: what it does, for a reader who never used it. by: the document and field that keep it, or
    what to do without it. models_only: kept for routes to models, not for ordinary Services.
    injects: how its value has reached, or reaches, the proxy's configuration. weak: values that
    take protection away, and how. off: further values that ask for nothing.
    """

    name: str
    worth: Worth
    fate: Fate
    does: str
    by: str
    models_only: bool = False
    injects: str = ""
    weak: tuple[tuple[str, str], ...] = ()
    off: tuple[str, ...] = ()

    def code(self, *, for_models: bool) -> str:
        """The finding code. for_models: whether the route leads to models only."""
        lost = self.fate == "lost" or (self.models_only and not for_models)
        if self.worth == "tuning":
            return "nginx-tuning-dropped"
        if self.fate == "kept" and not lost:
            return "nginx-setting-kept"
        return f"nginx-{self.worth}-{'lost' if lost else 'moves'}"

    @property
    def is_text(self) -> bool:
        """Whether the whole value becomes configuration, as it was made to."""
        return self.injects.startswith("text")

    def weakness(self, value: str) -> str:
        """How the value takes protection away, or ""."""
        return next((why for weak, why in self.weak if weak == value.strip().lower()), "")

    def is_off(self, value: str) -> bool:
        """Whether the value asks for nothing."""
        return value.strip().lower() in ("false", "", *self.off)

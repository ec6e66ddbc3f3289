"""The people, pipelines and strangers of the tests, as the API server knows them: by a token file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    name: str
    groups: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        return f"token-of-{self.name.replace(':', '-')}"


ADMIN = User(name="admin", groups=("system:masters",))
USERS = (
    ADMIN,
    User(name="petra", groups=("platform",)),
    User(name="paul", groups=("platform",)),
    User(name="mira", groups=("ml-team",)),
    User(name="max", groups=("ml-team",)),
    User(name="rosa", groups=("risk",)),
    User(name="piet", groups=("privacy",)),
    User(name="selma", groups=("security",)),
    User(name="pipeline", groups=("pipeline",)),
    User(name="ada", groups=("audit",)),
    User(name="mallory"),
    # As a pod of this service account is seen, without needing a pod.
    User(
        name="system:serviceaccount:gatereeve-system:gatereeve-controller",
        groups=("system:serviceaccounts", "system:serviceaccounts:gatereeve-system"),
    ),
)


def named(name: str) -> User:
    for user in USERS:
        if user.name == name:
            return user
    raise ValueError(f"no user {name}; there are {', '.join(user.name for user in USERS)}")


def write_tokens(file: Path, users: Sequence[User] = USERS) -> None:
    """In the API server's format: token,name,uid,"groups"."""
    lines = []
    for user in users:
        groups = f',"{",".join(user.groups)}"' if user.groups else ""
        lines.append(f"{user.token},{user.name},uid-{user.name}{groups}\n")
    file.write_text("".join(lines))
    file.chmod(0o600)

"""The private key that signs the log: made at the first start, kept beside the log, refused when in doubt.

    STATE/log.key    the private key, one line, mode 0600; never in the log's directory, so copies do not have it
    STATE/log.vkey   the public key, for auditors; written last, so it says that there was a log
    STATE/ledger/    the log

The log's origin is made from the public key, so two logs never have the same name.
"""

from __future__ import annotations

import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

from gatereeve.core import errors
from gatereeve.ledger.tlog import faults, notes
from gatereeve.ledger.tlog.disk import OsDisk
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.files import DurableFiles

KEY = "log.key"
VKEY = "log.vkey"
LOG = "ledger"
_ORIGIN = "gatereeve.dev/ledger/"
_MAX_BYTES = 4096
_FS_GROUP = 0o660
"""What Kubernetes makes of 0600 in a volume with `fsGroup`, which is our own group: taken back, not refused."""


def load_key(state: Path, *, is_log: bool) -> tuple[notes.Signer, bool]:
    """The signer of the log in the directory `state`, and whether the log must be created with it.

    is_log: whether there is a log, or a part of one. A key is made only where there is neither log nor key.
    Raises LedgerError: `key-missing`, `key-exposed`, `key-unreadable`, `key-malformed`, `key-wrong`, `log-lost`.
    """
    key, published = state / KEY, _read(state / VKEY)
    line = None
    if os.path.lexists(key):
        _check_private(key)
        line = _read(key)
    if line is None:
        if is_log:
            raise refusal("key-missing", directory=state / LOG, key=key)
        if published is not None:
            raise refusal("log-lost", key=state / VKEY, directory=state / LOG)
        return _make(state), True
    try:
        signer = notes.parse_skey(line.rstrip("\n"))
    except TlogError as error:
        raise errors.LedgerError(f"{key}: {error}", hint=error.hint, reason=error.code) from error
    if published is not None and published.rstrip("\n") != signer.verifier.vkey:
        raise refusal("key-wrong", key=key, vkey=state / VKEY)
    if published is not None and not is_log:
        raise refusal("log-lost", key=key, directory=state / LOG)
    return signer, not is_log


def publish_key(state: Path, signer: notes.Signer) -> None:
    """Write the public key beside the log, once the log is there. Raises LedgerError (`key-unreadable`)."""
    if not (state / VKEY).exists():
        _write(state, VKEY, signer.verifier.vkey)


def refusal(
    code: str, /, kind: type[errors.LedgerError] = errors.LedgerError, **values: object
) -> errors.LedgerError:
    """The error with the texts of `code`; values are those of its placeholders."""
    text = faults.texts()[code]
    return kind(text.message.format_map(values), hint=text.hint.format_map(values), reason=code)


def _make(state: Path) -> notes.Signer:
    seed = secrets.token_bytes(32)
    public = notes.Signer("-", seed).verifier.public
    signer = notes.Signer(_ORIGIN + sha256(public).hexdigest()[:16], seed)
    _write(state, KEY, signer.skey)
    return signer


def _write(state: Path, name: str, line: str) -> None:
    """Files of `OsDisk` are 0600 from their first byte on."""
    try:
        DurableFiles(state, OsDisk()).write([(name, f"{line}\n".encode())])
    except OSError as error:
        raise refusal("key-unreadable", key=state / name, why=error.strerror or error) from error


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal("key-unreadable", key=path, why=error.strerror or error) from error


def _check_private(key: Path) -> None:
    try:
        found = key.lstat()
    except OSError as error:
        raise refusal("key-unreadable", key=key, why=error.strerror or error) from error
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise refusal("key-exposed", key=key, what="is not a regular file")
    if found.st_uid != os.getuid():
        raise refusal("key-exposed", key=key, what="belongs to another user")
    if mode == _FS_GROUP and found.st_gid == os.getegid():
        key.chmod(0o600)
    elif mode & 0o077:
        raise refusal("key-exposed", key=key, what=f"may be read or written by others ({mode:04o})")

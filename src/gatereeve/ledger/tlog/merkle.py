"""Hashes of RFC 6962 section 2.1, and the verification of inclusion and consistency proofs.

Pure. Proofs are made in `proofs`; verification follows RFC 9162 sections 2.1.3.2 and 2.1.4.2 step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.tiles import HASH_BYTES

EMPTY_ROOT = sha256(b"").digest()


def hash_leaf(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """The root over hashes of one height, of which the last may stand for a smaller tree.

    hashes: one or more, 32 bytes each, joined. Raises ValueError for none, or a part of one.
    """
    if not hashes or len(hashes) % HASH_BYTES:
        raise ValueError(f"{len(hashes)} bytes are no hashes")
    while len(hashes) > HASH_BYTES:
        paired = len(hashes) // 64 * 64
        above = [sha256(b"\x01" + hashes[i : i + 64]).digest() for i in range(0, paired, 64)]
        hashes = b"".join(above) + hashes[paired:]
    return hashes


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise TlogError unless `proof` shows that entry `index` of the tree (size, root) has the hash `leaf`.

    proof: hashes from the leaf's sibling up to the root's child.
    """
    _check_hashes("inclusion", (leaf, root, *proof))
    if not 0 <= index < size:  # 1
        raise _broken("inclusion", f"no entry {index} in a tree of {size}")
    first, last, result = index, size - 1, leaf  # 2, 3
    for sibling in proof:  # 4
        if last == 0:
            raise _broken("inclusion", "it has too many hashes")
        if first & 1 or first == last:
            result = hash_node(sibling, result)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            result = hash_node(result, sibling)
        first, last = first >> 1, last >> 1
    if last:  # 5
        raise _broken("inclusion", "it has too few hashes")
    if result != root:
        raise _broken("inclusion", "it leads to another root")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise TlogError unless `proof` shows that the tree (size, root) continues (old_size, old_root).

    The proof is empty where both sizes are equal, and where the old tree is empty.
    """
    _check_hashes("consistency", (old_root, root, *proof))
    if not 0 <= old_size <= size:
        raise _broken("consistency", f"a tree of {size} cannot continue one of {old_size}")
    if old_size in (0, size):
        if proof:
            raise _broken("consistency", "it has too many hashes")
        if old_root != (root if old_size else EMPTY_ROOT) or (not size and root != EMPTY_ROOT):
            raise _broken("consistency", "it leads to another root")
        return
    old_result, result = _walk(old_size, old_root, size, proof)
    if old_result != old_root or result != root:
        raise _broken("consistency", "it leads to another root")


def _walk(old_size: int, old_root: bytes, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old tree and of the new one that a consistency proof leads to."""
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]  # 1, 2
    if not path:
        raise _broken("consistency", "it has too few hashes")
    first, last = old_size - 1, size - 1  # 3
    while first & 1:  # 4
        first, last = first >> 1, last >> 1
    old_result = result = path[0]  # 5
    for sibling in path[1:]:  # 6
        if last == 0:
            raise _broken("consistency", "it has too many hashes")
        if first & 1 or first == last:
            old_result = hash_node(sibling, old_result)
            result = hash_node(sibling, result)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            result = hash_node(result, sibling)
        first, last = first >> 1, last >> 1
    if last:  # 7
        raise _broken("consistency", "it has too few hashes")
    return old_result, result


def _check_hashes(kind: str, hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise _broken(kind, f"a hash does not have {HASH_BYTES} bytes")


def _broken(kind: str, what: str) -> TlogError:
    return TlogError("proof-invalid", kind=kind, what=what)

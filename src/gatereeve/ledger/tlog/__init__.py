"""A transparency log in a directory: C2SP tlog-tiles, checkpoints, proofs, its writer and its verifier.

The formats (`merkle`, `tiles`, `tree`, `proofs`, `notes`, `checkpoints`, `receipts`, `policy`) are pure: bytes
in, bytes out. `writer` writes a directory and `reader` reads it. `verify` checks a copy of it with the public
key only, and imports nothing of the product outside this package, so an auditor can read all that it uses.
An entry is bytes here: no module of this package knows what a record says. docs/reference/ledger-format.md
is the specification.
This file imports nothing: the verifier must stand alone.
"""

"""Words that every layer shares: findings, errors, references, canonical JSON, digests, records, Protocols.

Knows nothing of the other packages and does no I/O.
"""

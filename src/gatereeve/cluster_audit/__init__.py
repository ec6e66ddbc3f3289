"""The audit of a cluster for `gatereeve audit-cluster`: objects in, findings out.

It finds model servers that are reachable without a policy (`exposure`), settings of ingress-nginx that a
migration would lose (`migration`), and rights that bypass governance (`grants`). Pure; it accepts every
object, however malformed, and enforces nothing.
"""

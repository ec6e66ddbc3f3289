"""Guards: Kubernetes objects that enforce the documents' rules in the API server. Pure.

`generate.make_guards` returns all of them; there is one module per policy. Nothing is applied here.
RBAC protects the guards themselves, because admission policies cannot (`roles`, `guard_drift`). The CEL
rules repeat rules of the compiler, which checks every document again.
"""

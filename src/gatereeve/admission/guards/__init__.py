"""Guards: Kubernetes objects that keep the documents' rules inside the API server, made from a World.

Pure: documents and settings in, plain objects out, in one order; nothing is applied here.
`generate.guards` is the front; one module per policy, and ORDER there names them all.
RBAC is the outer wall, because admission policies cannot guard themselves: see `roles`, and `drift`
beside this package. What CEL repeats here is the compiler's, which stays the judge.
"""

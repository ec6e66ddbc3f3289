"""Kubernetes as a source: the API server's objects become Worlds, and our writes go back.

    client      the only door to the API server       reflector   one kind, listed and watched
    objects     one JSON object → one document        store       all documents → a World
    secrets     which Secrets are read, and reading   source      `KubeSource`, the whole of it
    lease       who of several replicas may write     apply, events   what the leader writes

Nothing outside this package imports lightkube, and no error of lightkube or httpx2 leaves it.
"""

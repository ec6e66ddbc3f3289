"""Where documents come from: folders, and Kubernetes (`kube`).

A source delivers immutable Worlds and keeps the last good form of a document that no longer parses.
It decides nothing.
"""

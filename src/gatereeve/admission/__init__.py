"""Review of changes at the Kubernetes door, and the guards generated from the documents.

Comes with a later issue; holds nothing yet.
"""

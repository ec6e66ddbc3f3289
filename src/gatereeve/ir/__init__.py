"""What a gate must do, in our own frozen words.

Plain frozen dataclasses, tuples only. No parser, no Kubernetes and no Envoy type may appear here:
by the time something is IR it has been decided.
"""

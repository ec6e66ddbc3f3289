"""Worked examples. Each folder runs as shipped, and `tests/examples` runs it.

Examples use the product as its users do: documents, the command line and HTTP. Nothing here is
imported by `gatereeve`, and nothing here is needed to run it.
"""

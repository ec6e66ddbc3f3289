"""The documents as types, and the World: one immutable set of them.

One module per kind. Parsing turns plain data into types or findings; nothing here reads files,
clocks or clusters, and nothing here decides.
"""

"""IR to Envoy: message builders, the xDS server, the bootstrap, a supervised local Envoy.

Reads the IR, never the documents.
"""

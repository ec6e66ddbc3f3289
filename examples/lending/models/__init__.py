"""What stands behind the gate: training, a KServe V2 server, and an OpenAI-protocol stand-in.

These are ordinary servers that know nothing of Gatereeve; any server with the same protocol would do.
"""

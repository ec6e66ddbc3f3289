"""The append-only record of requests and changes.

This file imports nothing: the verifier must stand alone.
"""

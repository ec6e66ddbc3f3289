"""The only place that wires things: settings, supervision, serving.

Reads as a table of contents: construct, connect, start. Decides nothing.
"""

"""Benchmarks: every figure of the project, measured on the machine at hand.

`python -m bench` prints a table and writes `build/bench.json`. A figure is what this machine gave in
this run, beside the thing it is compared with; nothing here is a promise about other machines.
Imports `gatereeve` and is imported by nothing of it.
"""

"""The chapters of the walk, by theme. Each is a function of the `Stage`; `story` puts them in order.

A chapter tells, asks and compares. It leaves the folder and the servers as it found them.
"""

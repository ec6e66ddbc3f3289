"""The web console.

Comes with a later issue; holds nothing yet.
"""

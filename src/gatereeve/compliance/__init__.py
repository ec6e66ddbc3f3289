"""Laws and standards as machine-checked controls.

Comes with a later issue; holds nothing yet.
"""

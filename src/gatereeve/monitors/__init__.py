"""Fairness, drift and performance on the live traffic.

Comes with a later issue; holds nothing yet.
"""

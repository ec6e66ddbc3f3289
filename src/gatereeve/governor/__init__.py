"""Verdicts to remedies; rollout steps.

Comes with a later issue; holds nothing yet.
"""

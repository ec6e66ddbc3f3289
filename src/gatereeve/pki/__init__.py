"""Certificates of controllers and gates: which there must be, how they are signed, where they are stored."""

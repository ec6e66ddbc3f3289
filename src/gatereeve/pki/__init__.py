"""Certificates of controllers and gates: plan, signing and storage."""

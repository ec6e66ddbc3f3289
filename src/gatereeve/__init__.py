"""Gatereeve governs AI models where their traffic enters: at the Kubernetes ingress.

The map is docs/explanation/architecture.md; the packages are stages and import downwards only.
"""

__version__ = "0.1.0"

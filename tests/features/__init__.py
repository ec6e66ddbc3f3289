"""Features over the real xDS wire."""

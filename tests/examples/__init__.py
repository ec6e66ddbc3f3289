"""Every folder of `examples/`, run as shipped, and the servers that stand behind the gate there."""

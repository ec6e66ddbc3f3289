"""The reference decision: what the gate answers to one request, and why. Imports no stage of `compile`."""

"""An Envoy process on this machine: start, watch, restart, drain and stop it."""

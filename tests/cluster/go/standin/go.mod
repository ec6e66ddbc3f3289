module gatereeve.dev/tests/cluster/standin

go 1.26.0

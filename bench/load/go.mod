module gatereeve.dev/bench/load

go 1.21

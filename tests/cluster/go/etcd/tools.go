//go:build tools

// Package etcd names the store behind the real API server that the tests build from its published
// module, so that go.mod and go.sum pin all it is made of. Nothing of it is ever compiled in.
package etcd

import _ "go.etcd.io/etcd/server/v3"

"""Real Kubernetes for tests, built from published modules; nothing here needs an image registry.

`tools` builds the programs, `controlplane` runs etcd and an API server, `node` a node with real pods,
`cluster` puts them together, `images` makes container images. Imports nothing of `gatereeve`.
"""

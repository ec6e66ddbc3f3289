//go:build tools

// Package addons names the programs beside Kubernetes' own that the tests build from published
// modules. In one module what several of them are built from is compiled once.
package addons

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
	_ "helm.sh/helm/v4/cmd/helm"
)

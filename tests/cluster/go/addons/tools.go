//go:build tools

// Package addons names the programs beside Kubernetes' own that the tests build from published
// modules. In one module they share what they are built from, which halves the time of a first build.
package addons

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
	_ "helm.sh/helm/v4/cmd/helm"
)

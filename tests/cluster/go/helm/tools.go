//go:build tools

// Package helm names the client that installs the chart in tests, built from its published module.
package helm

import _ "helm.sh/helm/v4/cmd/helm"

// Package suite runs Gateway API's own conformance tests, at the version that go.mod pins.
//
// Compiled once (go test -c) and run with the suite's own flags; see its documentation for them.
package suite

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) { conformance.RunConformance(t) }

package abtest

import (
	"strings"
	"testing"

	results "floodgate/results/pairs"
)

func TestDifferentToolchainsAreNoted(t *testing.T) {
	notes := strings.Join(toolchains(results.Side{Toolchain: "go1.25.3"}, results.Side{Toolchain: "go1.26.8"}), "\n")
	for _, text := range []string{"A was built with go1.25.3", "B with go1.26.8", "GOTOOLCHAIN"} {
		if !strings.Contains(notes, text) {
			t.Errorf("%q does not contain %q", notes, text)
		}
	}
	if notes := toolchains(results.Side{Toolchain: "go1.26.8"}, results.Side{Toolchain: "go1.26.8"}); notes != nil {
		t.Errorf("the same tool chain: %q", notes)
	}
}

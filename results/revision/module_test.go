package revision_test

import (
	"os"
	"strings"
	"testing"

	"floodgate/results/revision"
)

// Module is the path in go.mod.
func TestModule(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != "module "+revision.Module {
		t.Errorf("go.mod begins with %q, and Module is %q", first, revision.Module)
	}
}

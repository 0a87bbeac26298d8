package child_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/environment/child"
	"floodgate/bench/internal/affinity"
)

// A helper and all of its threads run on its cores, and count only these.
func TestCores(t *testing.T) {
	allowed, err := affinity.Allowed()
	if err != nil {
		t.Fatal(err)
	}
	own := allowed[len(allowed)-1:]
	p, err := child.Start(t.Context(), child.Options{Name: "helper", Executable: os.Args[0], Args: []string{helperArg, filepath.Join(t.TempDir(), "end")}, Cores: own})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(0)
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID()))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d: %v", p.PID(), err)
	}
	for _, file := range threads {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		if want := "\nCpus_allowed_list:\t" + own.String() + "\n"; !strings.Contains(string(status), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
	if now, err := affinity.Allowed(); err != nil || now.String() != allowed.String() {
		t.Errorf("this process may run on %v (%v), want %v", now, err, allowed)
	}
}

package cli

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"floodgate/results"
)

// The file has the traces of the attempt that is stored, and none of those before it.
func TestTracesOfARepeatedTrial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traces.jsonl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f := traceFlag{to: path, file: file}
	tracing := f.tracing(t.TempDir(), results.Header{Traces: true})
	for _, attempt := range []string{"invalid\n", "valid\n"} {
		if err := tracing.Save("trial-0000.jsonl", []byte(attempt)); err != nil {
			t.Fatal(err)
		}
	}
	stored := 0
	keep := f.before(func(results.Trial) error {
		stored++
		if text, err := os.ReadFile(path); err != nil || string(text) != "valid\n" {
			t.Errorf("before the trial is stored, the file has %q, %v", text, err)
		}
		return nil
	})
	for _, traces := range []*results.Traces{{File: "trial-0000.jsonl"}, {Error: "the trial ended"}, nil} {
		if err := keep(results.Trial{Traces: traces}); err != nil {
			t.Error(err)
		}
	}
	f.close()
	if text, err := os.ReadFile(path); err != nil || string(text) != "valid\n" || stored != 3 {
		t.Errorf("%d trials stored, and the file has %q, %v", stored, text, err)
	}
	if err := keep(results.Trial{Traces: &results.Traces{File: "trial-0001.jsonl"}}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a file that cannot be written gives %v", err)
	}
}

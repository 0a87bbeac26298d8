package against

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	results "floodgate/results/against"
	"floodgate/results/atomicfile"
)

// Names of the files of a comparison's folder.
const (
	VerdictFile = "gate.json"   // the verdict, in one piece or not there
	PairsFile   = "pairs.jsonl" // of two commands: a line a pair, as each ended
)

// Log keeps lines of JSON; each is on disk when Append returns.
type Log struct{ file *os.File }

// NewLog makes the file, which must not exist, and its folder.
func NewLog(path string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	return &Log{f}, err
}

// Append writes one line.
func (l *Log) Append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("record %s: %w", l.file.Name(), err)
	}
	_, err = l.file.Write(append(line, '\n'))
	if err = errors.Join(err, l.file.Sync()); err != nil {
		return fmt.Errorf("record %s: %w", l.file.Name(), err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// StoreJSON writes v as the file path, in one piece, and makes its folder where it is missing.
func StoreJSON(path string, v any) error {
	fail := func(err error) error { return fmt.Errorf("store %s: %w", path, err) }
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return fail(err)
	}
	return nil
}

// Known is the noise that earlier comparisons below root had, of the same kind,
// scenario and, for commands, commands, by the name of the cell; the latest counts.
func Known(root string, v *results.Verdict) map[string]results.Detectable {
	known := map[string]results.Detectable{}
	entries, _ := os.ReadDir(root) // oldest first; none: nothing is known
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root, e.Name(), VerdictFile))
		var old results.Verdict
		if err != nil || json.Unmarshal(text, &old) != nil || old.Kind != v.Kind || old.Scenario != v.Scenario {
			continue
		}
		if v.Kind == results.Commands && (old.A.Name != v.A.Name || old.B.Name != v.B.Name) {
			continue
		}
		for _, c := range old.Cells {
			if c.Achieved != nil && c.Decides {
				known[c.Name()] = results.Detectable{Noise: c.Achieved.Noise, From: "of " + e.Name()}
			}
		}
	}
	return known
}

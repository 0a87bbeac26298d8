package results

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"floodgate/results/atomicfile"
	"floodgate/results/trace"
)

// TraceDir is the folder of the traces of a run, beside its record: a file for each trial,
// with a line of OTLP's JSON encoding for each trace.
const TraceDir = "traces"

// Traces describes the traces of a trial. Package results/trace reads the file.
type Traces struct {
	// File is its name in [TraceDir]; empty means that there is none, and Error says why.
	File  string `json:"file,omitempty"`
	Error string `json:"error,omitempty"`
	// Kept is the number of traces in it, and Slow that of those that are among the slowest.
	Kept int `json:"kept"`
	Slow int `json:"slow"`
	// OneIn is the regular sample: every OneIn-th item or request.
	OneIn int `json:"one_in"`
}

// traceName matches the names of files that [SaveTraces] makes, none of which is a path.
var traceName = regexp.MustCompile(`^trial-[0-9]{4,9}\.jsonl$`)

// TraceFile returns the name of the file of a trial.
func TraceFile(trial int) string { return fmt.Sprintf("trial-%04d.jsonl", trial) }

func (t *Traces) validate() error {
	switch {
	case t.File != "" && !traceName.MatchString(t.File):
		return fmt.Errorf("%q is not the name of a file in the folder %s", t.File, TraceDir)
	case t.File == "" && t.Error == "":
		return errors.New("neither a file nor an error")
	case t.Kept < 0 || t.Slow < 0 || t.Slow > t.Kept || t.OneIn < 0:
		return fmt.Errorf("counts must be at least 0, and of the slow ones at most all (got %d of %d, 1 in %d)", t.Slow, t.Kept, t.OneIn)
	}
	return nil
}

// SaveTraces writes the traces of a trial into [TraceDir] of a run's folder. They are on disk
// when SaveTraces returns; an older file of that name, of a trial that was interrupted, is
// replaced.
func SaveTraces(dir, name string, content []byte) error {
	dir = filepath.Join(dir, TraceDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, name), content)
}

// ReadTraces reads the traces of a trial of a stored run. If a record was moved without its
// folder, it returns none and a nil error. The traces before a damaged line are returned with
// the error.
func (r *Run) ReadTraces(t *Trial) ([]trace.Trace, error) {
	if r.Path == "" || t.Traces == nil || !traceName.MatchString(t.Traces.File) {
		return nil, nil
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(r.Path), TraceDir, t.Traces.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return trace.Read(bytes.NewReader(content))
}

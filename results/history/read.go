package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"floodgate/results"
	"floodgate/results/atomicfile"
)

// Stored holds the runs of a folder for a history.
type Stored struct {
	Entries []Entry
	// Omitted are the runs without an entry; Scenario is that of each, if it is known.
	Omitted []OmittedRun
}

// OmittedRun is a stored run that has no entry.
type OmittedRun struct {
	Omitted
	Scenario string
}

// CacheName is the name of the file in a folder of runs that keeps their entries, so that
// the next history does not read every record.
const CacheName = ".history.jsonl"

// cached is the number of runs from which on their entries are kept.
const cached = 50

// Read returns the runs below root, ordered by folder; there are none if root does not
// exist. It reads one record at a time, and keeps the entries of many runs in the file
// [CacheName], by the digests of the records: a record that was replaced is read again. A
// folder that cannot be written, or a damaged file, only costs time.
func Read(root string) (*Stored, error) {
	folders, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return &Stored{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	kept, all := readCache(root), &Stored{}
	fresh := 0
	for _, f := range folders {
		if !f.IsDir() {
			continue
		}
		dir := filepath.Join(root, f.Name())
		digest, err := results.Digest(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if e, ok := kept[digest]; ok && err == nil && digest != "" {
			e.Dir = dir
			all.Entries = append(all.Entries, e)
			continue
		}
		e, scenario, err := open(dir, digest)
		if err != nil {
			all.Omitted = append(all.Omitted, OmittedRun{Omitted{Run: f.Name(), Why: err.Error()}, scenario})
			continue
		}
		fresh++
		all.Entries = append(all.Entries, e)
	}
	if fresh > 0 && len(all.Entries) >= cached {
		_ = writeCache(root, all.Entries) // the next history takes longer without it
	}
	return all, nil
}

// open returns the entry of the run in a folder, or the reason why it has none.
func open(dir, digest string) (_ Entry, scenario string, _ error) {
	run, err := results.Open(dir)
	if err != nil {
		if line := new(results.LineError); errors.As(err, &line) {
			return Entry{}, "", line
		}
		return Entry{}, "", err
	}
	e, err := NewEntry(run)
	e.Record, e.Dir = digest, dir
	return e, run.Header.ScenarioName, err
}

func readCache(root string) map[string]Entry {
	src, err := os.ReadFile(filepath.Join(root, CacheName))
	if err != nil {
		return nil
	}
	kept := map[string]Entry{}
	for line := range bytes.Lines(src) {
		if e, err := ParseEntry(line); err == nil {
			kept[e.Record] = e
		}
	}
	return kept
}

// ParseEntry reads a stored entry.
func ParseEntry(src []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(src, &e); err != nil {
		return Entry{}, err
	}
	if e.Schema != Schema {
		return Entry{}, fmt.Errorf("schema %d is not supported (this version reads schema %d)", e.Schema, Schema)
	}
	if err := results.CheckID(e.Run.ID); err != nil {
		return Entry{}, err
	}
	for _, row := range e.Rows {
		for metric, v := range row.Values {
			if len(v) != 1 && len(v) != 3 {
				return Entry{}, fmt.Errorf("%s of %s has %d numbers, want a value or a value with its interval", metric, row.Variant, len(v))
			}
		}
	}
	if e.Scenario == "" || e.Record == "" || e.Run.Started.IsZero() {
		return Entry{}, errors.New("the scenario, the start or the digest of the record is missing")
	}
	return e, nil
}

func writeCache(root string, all []Entry) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, e := range all {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return atomicfile.Write(filepath.Join(root, CacheName), out.Bytes())
}

// Scenarios returns the names of the scenarios of the runs, sorted.
func (s *Stored) Scenarios() []string {
	var names []string
	for _, e := range s.Entries {
		names = append(names, e.Scenario)
	}
	for _, o := range s.Omitted {
		if o.Scenario != "" {
			names = append(names, o.Scenario)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Of returns the runs of a scenario, and the omitted ones that may be of it, as their
// records cannot be read.
func (s *Stored) Of(scenario string) *Stored {
	return &Stored{
		Entries: slices.DeleteFunc(slices.Clone(s.Entries), func(e Entry) bool { return e.Scenario != scenario }),
		Omitted: slices.DeleteFunc(slices.Clone(s.Omitted), func(o OmittedRun) bool { return o.Scenario != scenario && o.Scenario != "" }),
	}
}

// History finds the changes in the runs.
func (s *Stored) History(o Options) *History {
	var c Collector
	for _, e := range s.Entries {
		c.AddEntry(e)
	}
	for _, l := range s.Omitted {
		c.Omit(l.Run, l.Why)
	}
	return c.History(o)
}

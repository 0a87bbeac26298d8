package abtest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"floodgate/bench/experiment"
	stored "floodgate/results"
	"floodgate/results/atomicfile"
	results "floodgate/results/pairs"
	"floodgate/results/profile"
	"floodgate/scenarios"
)

// unfinished is the directory of the records of a comparison in progress.
const unfinished = "unfinished"

// CreateRecord creates the record of one side, "a" or "b", in the comparison's directory. Trials
// are written to its subdirectory "unfinished" as they are appended. They have
// profiles of the kinds; nil means none.
func CreateRecord(dir, name string, s *scenarios.Scenario, env stored.Environment, machine stored.Fingerprint, side results.Side, profiles []string, now time.Time) (*stored.Store, error) {
	header, err := headerOf(name, s, env, machine, side, now)
	if err != nil {
		return nil, err
	}
	header.Profiles = profiles
	return stored.Create(filepath.Join(dir, unfinished), header)
}

func headerOf(name string, s *scenarios.Scenario, env stored.Environment, machine stored.Fingerprint, side results.Side, now time.Time) (stored.Header, error) {
	header, err := experiment.Header(s, false, env, now)
	if err != nil {
		return header, err
	}
	header.ID, header.Fingerprint = name, machine
	if len(s.SUT.Command) > 0 { // this program measures both sides
		header.SUT = &stored.SUT{Revision: cmp.Or(side.Revision, "unknown"), Modified: side.Modified}
	} else {
		header.Fingerprint.Revision, header.Fingerprint.Modified = side.Revision, side.Modified
	}
	header.Fingerprint.Go = cmp.Or(side.Toolchain, header.Fingerprint.Go)
	return header, nil
}

// FinishRecords writes the complete runs a and b from the blocks that were run, and removes the
// unfinished records. Without blocks, nothing remains.
func FinishRecords(dir string, blocks int) error {
	for _, name := range []string{"a", "b"} {
		if blocks == 0 { // profiles are written before their trials
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
			continue
		}
		if err := finish(dir, name, blocks); err != nil {
			return fmt.Errorf("finish the record of %s: %w", name, err)
		}
	}
	return os.RemoveAll(filepath.Join(dir, unfinished))
}

func finish(dir, name string, blocks int) (err error) {
	run, err := stored.Open(filepath.Join(dir, unfinished, name))
	if err != nil {
		return err
	}
	recorded, err := run.Scenario()
	if err != nil {
		return err
	}
	s := *recorded
	s.Blocks = blocks
	header := run.Header
	if header.Scenario, err = json.Marshal(s); err != nil {
		return err
	}
	header.Planned = len(run.Trials)
	store, err := stored.Create(dir, header)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	for _, t := range run.Trials {
		if err := store.Append(t); err != nil {
			return err
		}
	}
	return store.Finish()
}

// CompareProfiles compares the profiles of the finished records a and b, and stores those of
// each side, merged over its trials, in the folder of profiles of the comparison: as
// 1-cpu-a.pb.gz and 1-cpu-b.pb.gz, and so on for further kinds and variants.
func CompareProfiles(dir string) ([]profile.Group, error) {
	var sides [2]*stored.Run
	for i, name := range []string{"a", "b"} {
		var err error
		if sides[i], err = stored.Open(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	groups := profile.Between(sides[0], sides[1])
	for i, g := range groups {
		for side, p := range map[string]*profile.Profile{"a": g.From, "b": g.To} {
			if p == nil {
				continue
			}
			content, err := p.Bytes()
			if err == nil {
				err = stored.SaveProfile(dir, fmt.Sprintf("%d-%s-%s.pb.gz", i+1, g.Kind, side), content)
			}
			if err != nil {
				return nil, fmt.Errorf("store the merged profiles: %w", err)
			}
		}
	}
	return groups, nil
}

// Names of the files in a comparison's directory.
const (
	VerdictFile = "gate.json"   // the outcome, written atomically
	PairsFile   = "pairs.jsonl" // of two commands: a line per pair
	// SelfTestFile is the outcome of a self-test, and SelfTestLog its trials, one a line.
	SelfTestFile = "selftest.json"
	SelfTestLog  = "trials.jsonl"
)

// Log is a file of JSON lines. Each is on disk when Append returns.
type Log struct{ file *os.File }

// NewLog creates the file, which must not exist, and its directory.
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

// StoreJSON writes v to the file path atomically and creates its directory if necessary.
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

// KnownNoise returns the noise of the latest earlier comparison below root of the same kind,
// scenario and, for commands, commands, by the name of the cell.
func KnownNoise(root string, v *results.Outcome) map[string]results.Detectable {
	known := map[string]results.Detectable{}
	entries, _ := os.ReadDir(root) // oldest first; without a directory, nothing is known
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(root, e.Name(), VerdictFile))
		var old results.Outcome
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

// LatestSelfTest returns the latest self-test below root that measured the spread of a
// benchmark on a machine as fast as this one, or nil if there is none.
func LatestSelfTest(root string, machine stored.Fingerprint) *results.SelfTestOutcome {
	entries, _ := os.ReadDir(root) // oldest first; without a directory, nothing is known
	for _, e := range slices.Backward(entries) {
		text, err := os.ReadFile(filepath.Join(root, e.Name(), SelfTestFile))
		var s results.SelfTestOutcome
		if err != nil || json.Unmarshal(text, &s) != nil || s.Benchmark == nil {
			continue
		}
		was, is := stored.Setting{Fingerprint: s.Machine}, stored.Setting{Fingerprint: machine}
		if len(was.Compare(is).Breaking(stored.CPUTimes)) == 0 {
			return &s
		}
	}
	return nil
}

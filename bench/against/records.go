package against

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"floodgate/bench/experiment"
	stored "floodgate/results"
	results "floodgate/results/against"
	"floodgate/scenarios"
)

// unfinished is the folder of the records of a comparison that is under way.
const unfinished = "unfinished"

// Begin makes the record of one side, "a" or "b", below the comparison's folder.
// Every trial is on disk when it is appended, in the folder "unfinished" there.
func Begin(dir, name string, s *scenarios.Scenario, env stored.Environment, machine stored.Fingerprint, side results.Side, now time.Time) (*stored.Store, error) {
	header, err := headerOf(name, s, env, machine, side, now)
	if err != nil {
		return nil, err
	}
	return stored.Create(filepath.Join(dir, unfinished), header)
}

func headerOf(name string, s *scenarios.Scenario, env stored.Environment, machine stored.Fingerprint, side results.Side, now time.Time) (stored.Header, error) {
	header, err := experiment.Header(s, false, env, now)
	if err != nil {
		return header, err
	}
	header.ID, header.Fingerprint = name, machine
	if len(s.SUT.Command) > 0 { // what measures is this program on both sides
		header.SUT = &stored.SUT{Revision: cmp.Or(side.Revision, "unknown"), Modified: side.Modified}
	} else {
		header.Fingerprint.Revision, header.Fingerprint.Modified = side.Revision, side.Modified
	}
	header.Fingerprint.Go = cmp.Or(side.Toolchain, header.Fingerprint.Go)
	return header, nil
}

// Finish makes complete runs, a and b, of the blocks that were run, and removes
// what was kept of them under way. Without a block there is nothing to keep.
func Finish(dir string, blocks int) error {
	for _, name := range []string{"a", "b"} {
		if blocks == 0 {
			break
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

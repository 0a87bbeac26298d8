package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"floodgate/results/atomicfile"
)

// ProfileDir is the folder of the profiles of a run, beside its record.
const ProfileDir = "profiles"

// Profile is a profile of the SUT, which was taken while a trial ran. Package
// results/profile has the kinds and reads the files.
type Profile struct {
	Kind string `json:"kind"`
	// File is its name in [ProfileDir]; empty means that there is none, and Error says why.
	File  string `json:"file,omitempty"`
	Error string `json:"error,omitempty"`
	// Before is the name of a profile that was taken before the work; empty means that there
	// is none, as of CPU time.
	Before string `json:"before,omitempty"`
	// At is when it was taken, since the work began, and Window how long it lasted; zero
	// means that it shows a moment.
	At     time.Duration `json:"at_ns"`
	Window time.Duration `json:"window_ns,omitempty"`
	// Peak is the measure that reached a new peak then: latency (in nanoseconds),
	// descriptors or tasks; empty means that it covers all of the work. Value is the measure
	// then, and Highest its highest value in the trial, which may have come when no further
	// profile could be taken.
	Peak    string `json:"peak,omitempty"`
	Value   int64  `json:"value,omitempty"`
	Highest int64  `json:"highest,omitempty"`
	// Taken is the number of profiles of the kind that were taken, and Failed that of those
	// that could not be. Took is the time that those of a moment took altogether.
	Taken  int           `json:"taken"`
	Failed int           `json:"failed,omitempty"`
	Took   time.Duration `json:"took_ns,omitempty"`
}

// profileName matches the names of files that [SaveProfile] makes, none of which is a path.
var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}\.pb\.gz$`)

func (p Profile) validate() error {
	for _, name := range []string{p.File, p.Before} {
		if name != "" && !profileName.MatchString(name) {
			return fmt.Errorf("%q is not the name of a file in the folder %s", name, ProfileDir)
		}
	}
	switch {
	case p.Kind == "":
		return errors.New("no kind")
	case p.File == "" && p.Error == "":
		return fmt.Errorf("%s has neither a file nor an error", p.Kind)
	case p.At < 0 || p.Window < 0 || p.Taken < 0 || p.Failed < 0:
		return fmt.Errorf("%s: times and counts must be at least 0 (got %v, %v, %d and %d)", p.Kind, p.At, p.Window, p.Taken, p.Failed)
	}
	return nil
}

// SaveProfile writes a profile into [ProfileDir] of a run's folder. Its content is on disk
// when SaveProfile returns; an older one of that name, of a trial that was interrupted, is
// replaced.
func SaveProfile(dir, name string, content []byte) error {
	dir = filepath.Join(dir, ProfileDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, name), content)
}

// ReadProfile reads a profile of a stored run.
func (r *Run) ReadProfile(name string) ([]byte, error) {
	if r.Path == "" || !profileName.MatchString(name) {
		return nil, fmt.Errorf("profile %q: %w", name, os.ErrNotExist)
	}
	return os.ReadFile(filepath.Join(filepath.Dir(r.Path), ProfileDir, name))
}

package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"floodgate/bench/environment"
	"floodgate/results"
	"floodgate/results/claims"
	"floodgate/results/report/ci"
	"floodgate/scenarios"
)

// DefaultRoot is where runs are stored, below the working folder.
const DefaultRoot = "results/runs"

// latest names the newest run below a root.
const latest = "latest"

// OpenRun opens a run by its ID below root, by a prefix of the ID, as latest, or
// by the path of its folder or file.
func OpenRun(root, name string) (*results.Run, error) {
	if isName := !strings.ContainsAny(name, `/\`); isName && (hasRun(filepath.Join(root, name)) || !hasRun(name)) {
		id, err := FindID(root, name)
		if err != nil {
			return nil, err
		}
		return results.Open(filepath.Join(root, id))
	}
	run, err := results.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no run at %s: allowed are its folder, its %s, and a run's ID without a path", name, results.FileName)
	}
	return run, err
}

// OpenEither opens a run or plan that is below one of the roots; where it is
// in none, the error has what is wrong with each, once.
func OpenEither(name string, roots ...string) (*results.Run, error) {
	var errs []error
	for i, root := range roots {
		if slices.Contains(roots[:i], root) {
			continue
		}
		run, err := OpenRun(root, name)
		if err == nil {
			return run, nil
		}
		if !slices.ContainsFunc(errs, func(e error) bool { return e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return nil, errors.Join(errs...)
}

// hasRun reports whether a run's file or folder is at path.
func hasRun(path string) bool {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		_, err = os.Stat(filepath.Join(path, results.FileName))
	}
	return err == nil
}

// RunName is what a run is named by, without a path.
var RunName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// FindID is the ID of the one run below root that is called so, or whose ID
// begins so; latest is that of the newest one.
func FindID(root, name string) (string, error) {
	if !RunName.MatchString(name) {
		return "", fmt.Errorf("%q is not a run's name; %s", name, whichThere(root))
	}
	if hasRun(filepath.Join(root, name)) {
		return name, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find run %s: %w", name, err)
	}
	var ids []string
	for _, e := range entries {
		if (name == latest || strings.HasPrefix(e.Name(), name)) && e.IsDir() && hasRun(filepath.Join(root, e.Name())) {
			ids = append(ids, e.Name())
		}
	}
	if name == latest {
		if len(ids) == 0 {
			return "", fmt.Errorf("no run is stored in %s", root)
		}
		return slices.Max(ids), nil // they begin with their time
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("no run %s in %s; %s", name, root, whichThere(root))
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf("%s begins the names of %d runs in %s:\n  %s", name, len(ids), root, strings.Join(ids, "\n  "))
}

// whichThere says how to see the runs below root.
func whichThere(root string) string {
	list := "floodgate report"
	if root != DefaultRoot {
		list += " --out " + root
	}
	return list + " lists those that are there"
}

// CheckRoot says why no run can be stored below root. It leaves nothing behind.
func CheckRoot(root string) error {
	there := filepath.Clean(root) // or the nearest folder above it that is
	for {
		if _, err := os.Stat(there); !errors.Is(err, fs.ErrNotExist) || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	made, err := os.MkdirTemp(there, ".floodgate-")
	if err == nil {
		err = os.Remove(made)
	}
	if at := new(fs.PathError); errors.As(err, &at) { // the path is one that nobody named
		err = fmt.Errorf("nothing can be made in %s: %w", there, at.Err)
	}
	if err != nil {
		return fmt.Errorf("--out %s: %w; allowed: a folder that can be written to", root, err)
	}
	return nil
}

// JudgedRun is what the formats for CI servers are made of; file, if not empty,
// is the scenario's, which must be of that run's scenario.
func JudgedRun(stored *results.Run, v *claims.Outcome, file string) (ci.Judged, error) {
	j := ci.Judged{Run: stored, Verdict: v}
	if file == "" {
		return j, nil
	}
	s, lines, err := scenarios.LoadLines(file)
	if err != nil {
		return j, Usage(MissingFile("--scenario", file, err))
	}
	if s.Name != v.Scenario {
		return j, Usage(fmt.Errorf("--scenario %s: it is scenario %q, and the run is of %q", file, s.Name, v.Scenario))
	}
	j.File, j.Lines = filepath.ToSlash(filepath.Clean(file)), lines
	return j, nil
}

// Unfinished says so of a run that lacks trials, and how to go on with it. One
// that a threshold ended is done.
func Unfinished(stored *results.Run, v *claims.Outcome) error {
	if len(stored.Trials) >= stored.Header.Planned || v.EndedBy != "" {
		return nil
	}
	return fmt.Errorf("the run is not finished, %d of %d trials are there; unless it is running still, go on with: %s",
		len(stored.Trials), stored.Header.Planned, ResumeCommand(filepath.Dir(stored.Path), stored.Header.Environment))
}

// ResumeCommand returns the command that resumes the run stored in dir. Records
// do not keep the addresses of external servers.
func ResumeCommand(dir string, env results.Environment) string {
	command := "floodgate run --resume " + filepath.Base(dir)
	if root := filepath.Dir(dir); root != filepath.Clean(DefaultRoot) {
		command += " --out " + root
	}
	if env.Kind == environment.External {
		command += ", and the same --upstream-url or --mongo-uri as before"
	}
	return command
}

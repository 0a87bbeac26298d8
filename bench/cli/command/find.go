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
	"floodgate/results/watched"
	"floodgate/scenarios"
)

// DefaultRoot is where runs are stored, below the working folder.
const DefaultRoot = "results/runs"

// latest is the name of the newest run below a root.
const latest = "latest"

// OpenRun opens a run below root by its ID, an unambiguous prefix of the ID or
// "latest", or anywhere by the path of its folder or file.
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
		return nil, fmt.Errorf("no run at %s: name a run's folder, its %s, or its ID without a path", name, results.FileName)
	}
	return run, err
}

// OpenEither opens a run or plan that is below one of the roots. If none has it,
// the error joins the distinct errors of all.
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

// RunName matches the ID of a run.
var RunName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// FindID returns the ID of the run below root with this ID or unambiguous prefix
// of an ID; "latest" means the newest run.
func FindID(root, name string) (string, error) { return findID(root, name, hasRun) }

// FindWatch returns the folder of the watch that a name means, as [OpenRun] reads
// names: of watches below root and, for latest, of runs as well. It is empty if the
// name does not mean a watch.
func FindWatch(root, name string) string {
	if strings.ContainsAny(name, `/\`) {
		if dir := strings.TrimSuffix(filepath.Clean(name), string(filepath.Separator)+watched.FileName); hasWatch(dir) {
			return dir
		}
		return ""
	}
	id, err := findID(root, name, func(path string) bool { return hasRun(path) || hasWatch(path) })
	if dir := filepath.Join(root, id); err == nil && hasWatch(dir) {
		return dir
	}
	return ""
}

// hasWatch reports whether the record of a watch is in a folder.
func hasWatch(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, watched.FileName))
	return err == nil
}

// findID is FindID for the folders below root for which is returns true.
func findID(root, name string, is func(path string) bool) (string, error) {
	if !RunName.MatchString(name) {
		return "", fmt.Errorf("%q is not a valid run ID; %s", name, listHint(root))
	}
	if is(filepath.Join(root, name)) {
		return name, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find run %s: %w", name, err)
	}
	var ids []string
	for _, e := range entries {
		if (name == latest || strings.HasPrefix(e.Name(), name)) && e.IsDir() && is(filepath.Join(root, e.Name())) {
			ids = append(ids, e.Name())
		}
	}
	if name == latest {
		if len(ids) == 0 {
			return "", fmt.Errorf("no runs in %s", root)
		}
		return slices.Max(ids), nil // an ID starts with its time
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("run %q not found in %s; %s", name, root, listHint(root))
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf("run ID %q is ambiguous: %d runs in %s match:\n  %s", name, len(ids), root, strings.Join(ids, "\n  "))
}

// listHint returns the command that lists the runs below root.
func listHint(root string) string {
	list := "floodgate report"
	if root != DefaultRoot {
		list += " --out " + root
	}
	return list + " lists the stored runs"
}

// CheckRoot returns an error if no run can be stored below root. It leaves nothing
// behind.
func CheckRoot(root string) error {
	nearest := filepath.Clean(root) // the nearest existing folder
	for {
		if _, err := os.Stat(nearest); !errors.Is(err, fs.ErrNotExist) || nearest == filepath.Dir(nearest) {
			break
		}
		nearest = filepath.Dir(nearest)
	}
	made, err := os.MkdirTemp(nearest, ".floodgate-")
	if err == nil {
		err = os.Remove(made)
	}
	if at := new(fs.PathError); errors.As(err, &at) { // the temporary name would only confuse
		err = fmt.Errorf("cannot create a file in %s: %w", nearest, at.Err)
	}
	if err != nil {
		return fmt.Errorf("--out %s must be a writable folder: %w", root, err)
	}
	return nil
}

// JudgedRun returns a run with its verdict and, unless file is empty, the lines of
// the scenario file, which must contain the run's scenario.
func JudgedRun(stored *results.Run, v *claims.Outcome, file string) (ci.Judged, error) {
	j := ci.Judged{Run: stored, Verdict: v}
	if file == "" {
		return j, nil
	}
	var err error
	j.File, j.Lines, err = AnnotatedFile(file, v.Scenario)
	return j, err
}

// AnnotatedFile returns the scenario's file in --scenario as annotations name it, and the
// lines of its claims. It is an error if the file has a scenario of another name.
func AnnotatedFile(file, name string) (string, scenarios.Lines, error) {
	s, lines, err := scenarios.LoadLines(file)
	if err != nil {
		return "", scenarios.Lines{}, Usage(MissingFile("--scenario", file, err))
	}
	if s.Name != name {
		return "", scenarios.Lines{}, Usage(fmt.Errorf("--scenario %s contains scenario %q, but the result is of %q", file, s.Name, name))
	}
	return filepath.ToSlash(filepath.Clean(file)), lines, nil
}

// Unfinished returns an error that says how to resume a run that lacks trials; nil
// means that it is finished or that a threshold ended it.
func Unfinished(stored *results.Run, v *claims.Outcome) error {
	if len(stored.Trials) >= stored.Header.Planned || v.EndedBy != "" {
		return nil
	}
	if stored.Header.Merged != nil {
		return fmt.Errorf("the run is not finished: all shards have %d of %d trials; resume the unfinished ones where they ran, and merge again",
			len(stored.Trials), stored.Header.Planned)
	}
	return fmt.Errorf("the run is not finished: it has %d of %d trials; unless it is still running, resume it with: %s",
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

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"floodgate/bench/abtest"
	"floodgate/bench/cijob"
	"floodgate/bench/cli/command"
	"floodgate/results/baseline"
	"floodgate/results/revision"
	"floodgate/scenarios"
)

// ciOptions are the flags of "init --ci".
type ciOptions struct {
	forge    string
	source   string // where Floodgate's repository is
	baseline string // the stored run to make a baseline from
}

// plannedFile is a file that init --ci will write.
type plannedFile struct {
	path string
	text []byte
}

// run writes the job of a scenario into the repository, and the baseline of a stored run. It
// writes nothing if any of the files exists.
func (o ciOptions) run(ctx context.Context, args []string, stdout io.Writer) error {
	forge, err := cijob.ByName(o.forge)
	if err != nil {
		return fmt.Errorf("--ci: %w", err)
	}
	if len(args) != 1 {
		return errors.New("--ci needs the file of one scenario, such as: floodgate init --ci github ci/mine.yaml")
	}
	s, err := scenarios.Load(args[0])
	if err != nil {
		return err
	}
	repository, err := abtest.OpenRepository(ctx, ".")
	if err != nil {
		return err
	}
	j := cijob.Job{Scenario: filepath.ToSlash(filepath.Clean(args[0]))}
	if j.Folder, err = folderIn(repository.Top); err != nil {
		return err
	}
	if !filepath.IsLocal(args[0]) {
		return fmt.Errorf("%s must be a path below this folder, in which the job runs", args[0])
	}
	if ignored(ctx, args[0]) {
		return fmt.Errorf("%s is ignored by git, so a CI job does not have it: change .gitignore, or move the file", args[0])
	}
	if o.source == "" {
		o.source, err = cijob.DefaultSource(revision.Module, Version)
	}
	if err == nil {
		err = j.SetSource(o.source)
	}
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	for _, folder := range []string{j.Folder, ""} {
		if file := path.Join(folder, "go.mod"); j.GoMod == "" && exists(filepath.Join(repository.Top, filepath.FromSlash(file))) {
			j.GoMod = file
		}
	}
	var files []plannedFile
	if o.baseline != "" {
		var text []byte
		if text, err = o.baselineOf(args[0], s); err != nil {
			return err
		}
		if j.Baseline, err = committable(ctx, j.Scenario, s.Name); err != nil {
			return err
		}
		files = append(files, plannedFile{filepath.FromSlash(j.Baseline), text})
	}
	text, err := forge.Render(j)
	if err != nil {
		return err
	}
	job := plannedFile{filepath.Join(repository.Top, filepath.FromSlash(forge.File)), text}
	add := forge == cijob.GitLab && exists(job.path)
	if !add {
		files = append(files, job)
	}
	if err := writeAllNew(files, stdout); err != nil || !add {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s exists: add this to it\n\n%s", forge.File, text)
	return err
}

// baselineOf returns the baseline of the run, which must be one of the scenario.
func (o ciOptions) baselineOf(file string, s *scenarios.Scenario) ([]byte, error) {
	run, err := command.OpenRun(command.DefaultRoot, o.baseline)
	if err != nil {
		return nil, err
	}
	switch {
	case run.Header.ScenarioName != s.Name:
		return nil, fmt.Errorf("--baseline: the run is of scenario %q, and %s is %q: name a run of it", run.Header.ScenarioName, file, s.Name)
	case run.Header.Quick:
		return nil, fmt.Errorf("--baseline: the run is a quick one, and the job runs the whole scenario: floodgate run %s", file)
	case !command.RunName.MatchString(s.Name):
		return nil, fmt.Errorf("--baseline: the scenario's name %q is not a valid file name", s.Name)
	}
	b, err := baseline.FromRun(run)
	if err != nil {
		return nil, fmt.Errorf("--baseline: %w", err)
	}
	return b.Encode(), nil
}

// committable returns the file of the baseline: the usual one or, if git ignores it, one
// beside the scenario.
func committable(ctx context.Context, scenario, name string) (string, error) {
	usual := filepath.ToSlash(baseline.Path(name, false))
	beside := strings.TrimSuffix(scenario, path.Ext(scenario)) + ".baseline.yaml"
	for _, file := range []string{usual, beside} {
		if !ignored(ctx, filepath.FromSlash(file)) {
			return file, nil
		}
	}
	return "", fmt.Errorf("git ignores both %s and %s: change .gitignore, because a CI job has committed files only", usual, beside)
}

// ignored reports whether git ignores a file.
func ignored(ctx context.Context, file string) bool {
	return exec.CommandContext(ctx, "git", "check-ignore", "--quiet", "--", file).Run() == nil
}

// folderIn returns the working folder relative to the top of its repository, with slashes, or
// "" if it is the top.
func folderIn(top string) (string, error) {
	folder, err := os.Getwd()
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder) // as the top is
	}
	if err != nil {
		return "", err
	}
	folder, err = filepath.Rel(top, folder)
	if folder == "." {
		folder = ""
	}
	return filepath.ToSlash(folder), err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// writeAllNew writes all files, or none if one of them exists.
func writeAllNew(files []plannedFile, stdout io.Writer) error {
	for _, f := range files {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already, and init overwrites nothing: remove it first", shown(f.path))
		}
	}
	for i, f := range files {
		err := os.MkdirAll(filepath.Dir(f.path), 0o755)
		if err == nil {
			err = writeNew(f.path, f.text)
		}
		if err != nil {
			for _, written := range files[:i] {
				err = errors.Join(err, os.Remove(written.path))
			}
			return err
		}
	}
	for _, f := range files {
		fmt.Fprintf(stdout, "wrote %s: review and commit it\n", shown(f.path))
	}
	return nil
}

// shown returns the path relative to the working folder, if it is below it.
func shown(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if relative, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(relative, "..") {
		return filepath.ToSlash(relative)
	}
	return path
}

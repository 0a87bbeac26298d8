package abtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// noWorkspace is the value of GOWORK that turns workspaces off.
const noWorkspace = "off"

// workspaceOf returns the go.work file that go uses in the directory, or "off".
func workspaceOf(ctx context.Context, dir string) (string, error) {
	text, err := output(ctx, goCommand(ctx, dir, "", "env", "GOWORK"))
	if err != nil {
		return "", fmt.Errorf("find go.work: %w", err)
	}
	if text = strings.TrimSpace(text); text == "" {
		return noWorkspace, nil
	}
	return text, nil
}

// extracted holds another revision's files in a temporary directory.
type extracted struct {
	repository *Repository
	// top corresponds to the top of the repository; temp is the directory above it.
	top, temp string
}

// home returns the path in the working tree that corresponds to a path below top.
func (e *extracted) home(path string) string {
	relative, err := filepath.Rel(e.top, path)
	if err != nil {
		return path
	}
	return filepath.Join(e.repository.Top, relative)
}

// copyOf returns the path below top that corresponds to a path of the working tree, or
// false if that is outside of the repository.
func (e *extracted) copyOf(path string) (string, bool) {
	if !within(e.repository.Top, path) {
		return "", false
	}
	relative, err := filepath.Rel(e.repository.Top, path)
	return filepath.Join(e.top, relative), err == nil
}

// workspace writes the go.work file with which the other revision's module in the directory
// at is built, if the working tree is built with current. Each revision uses its own
// committed go.work file. Both use the same uncommitted one, so that they do not differ in
// their libraries.
func (e *extracted) workspace(ctx context.Context, at, current string) (file string, notes []string, err error) {
	explicit := os.Getenv("GOWORK")
	if explicit == noWorkspace {
		return noWorkspace, nil, nil
	}
	if file, ok := e.revisionWorkspace(at, current, explicit); ok {
		notes, err = e.pinWorkspace(ctx, file, filepath.Dir(e.home(file)))
		if current == noWorkspace {
			notes = append(notes, "the other revision is built in the workspace of its go.work, which the working tree does not have")
		}
		return file, notes, err
	}
	if current == noWorkspace {
		return noWorkspace, nil, nil
	}
	if within(e.repository.Top, current) {
		tracked, err := e.repository.git(ctx, nil, "ls-files", "--", current)
		if err != nil {
			return "", nil, fmt.Errorf("find go.work: %w", err)
		}
		if strings.TrimSpace(tracked) != "" {
			return noWorkspace, []string{"the working tree is built in the workspace of its go.work, which the other revision does not have"}, nil
		}
	}
	file = filepath.Join(e.temp, "workspace", "go.work")
	for _, suffix := range []string{"", ".sum"} {
		if err := copyFile(current+suffix, file+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", nil, fmt.Errorf("copy %s: %w", current+suffix, err)
		}
	}
	notes, err = e.pinWorkspace(ctx, file, filepath.Dir(current))
	return file, append([]string{"both sides are built in the workspace of " + current}, notes...), err
}

// revisionWorkspace returns the go.work file of the revision itself: the one that GOWORK
// names, or the nearest one above the module.
func (e *extracted) revisionWorkspace(at, current, explicit string) (string, bool) {
	if explicit != "" {
		file, inside := e.copyOf(current)
		return file, inside && readable(file)
	}
	for dir := at; within(e.top, dir); dir = filepath.Dir(dir) {
		if file := filepath.Join(dir, "go.work"); readable(file) {
			return file, true
		}
	}
	return "", false
}

func copyFile(from, to string) error {
	src, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, src, 0o600)
}

// pinWorkspace redirects the modules and replacements of a go.work file, whose paths are
// relative to the directory home of the working tree: those in the repository to the other
// revision, and the others to the same directories as in the working tree. The notes name
// the latter, and modules that the other revision lacks.
func (e *extracted) pinWorkspace(ctx context.Context, file, home string) (notes []string, err error) {
	dir := filepath.Dir(file)
	text, err := output(ctx, goCommand(ctx, dir, noWorkspace, "work", "edit", "-json", file))
	if err != nil {
		return nil, fmt.Errorf("read go.work: %w", err)
	}
	var work struct {
		Use     []struct{ DiskPath string }
		Replace []replacement
	}
	if err := json.Unmarshal([]byte(text), &work); err != nil {
		return nil, fmt.Errorf("read go.work: %w", err)
	}
	edit := []string{"work", "edit"}
	for _, use := range work.Use {
		target := from(home, use.DiskPath)
		edit = append(edit, "-dropuse="+use.DiskPath)
		module, inside := e.copyOf(target)
		switch {
		case !inside:
			edit = append(edit, "-use="+filepath.ToSlash(target))
			notes = append(notes, sharedNote("module "+use.DiskPath+" of the workspace"))
			continue
		case !readable(filepath.Join(module, "go.mod")):
			notes = append(notes, fmt.Sprintf("the other revision has no module %s, which is omitted from its workspace", use.DiskPath))
			continue
		}
		edit = append(edit, "-use="+filepath.ToSlash(module))
		more, err := pinReplacements(ctx, module, target, e.repository.Top)
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
	}
	for _, r := range work.Replace {
		if r.New.Version != "" {
			continue
		}
		target := from(home, r.New.Path)
		if copied, inside := e.copyOf(target); inside {
			target = copied
		} else {
			notes = append(notes, sharedNote(fmt.Sprintf("%s, by which go.work replaces %s,", r.New.Path, r.Old.Path)))
		}
		edit = append(edit, "-replace="+r.old()+"="+filepath.ToSlash(target))
	}
	if len(edit) > 2 {
		if _, err := output(ctx, goCommand(ctx, dir, noWorkspace, append(edit, file)...)); err != nil {
			return nil, fmt.Errorf("write go.work: %w", err)
		}
	}
	return notes, nil
}

// from returns a path in a go.mod or go.work file in the directory dir as an absolute path.
func from(dir, path string) string {
	if path = filepath.FromSlash(path); filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// sharedNote returns a note about a directory that both sides read.
func sharedNote(what string) string {
	return what + " is outside of the repository: both sides are built with its current content"
}

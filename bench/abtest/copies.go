package abtest

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"floodgate/bench/sut"
	"floodgate/results/revision"
)

// Copy copies the files of the working tree into the directory dir: those that git tracks,
// as they are, and new ones that it does not ignore. Submodules become empty directories,
// as in [Repository.Extract].
func (r *Repository) Copy(ctx context.Context, dir string) error {
	fail := func(err error) error { return fmt.Errorf("copy the working tree: %w", err) }
	text, err := r.git(ctx, nil, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	paths := strings.Split(strings.TrimSuffix(text, "\x00"), "\x00")
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) { // a file with conflicts is listed three times
		path = filepath.FromSlash(path)
		err := copyEntry(filepath.Join(r.Top, path), filepath.Join(dir, path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file that was deleted is still listed
			return fail(err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// copyEntry copies a file or a symbolic link. Of a directory it copies nothing but its
// existence.
func copyEntry(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return os.MkdirAll(to, 0o700)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// buildCopies copies both revisions and has the command of s build each in its copy.
func (r *Revisions) buildCopies(ctx context.Context, s Source, repository *Repository, commit string) error {
	in, err := filepath.EvalSymlinks(s.In)
	if err != nil {
		return err
	}
	if !within(repository.Top, in) {
		return &UsageError{fmt.Errorf("the scenario's folder %s, in which sut.build runs, is outside of the repository %s; move the scenario into the repository", s.In, repository.Top)}
	}
	workspace := noWorkspace
	if at, err := moduleDir(repository.Top, in, "."); err == nil && hasGo() {
		if workspace, err = workspaceOf(ctx, at); err != nil {
			return err
		}
	}
	for _, side := range []struct {
		name, title, note string
		program           *Program
		write             func(top string) (notes []string, err error)
	}{
		{"a", fmt.Sprintf("A (%s, %.12s)", s.Ref, commit), fmt.Sprintf("%s (%.12s)", s.Ref, commit), &r.A, func(top string) ([]string, error) {
			return repository.Extract(ctx, commit, r.folder.Path(), top)
		}},
		{"b", "B (the working tree" + changed(r.B.Side) + ")", "a copy of the working tree" + changed(r.B.Side), &r.B, func(top string) ([]string, error) {
			return nil, repository.Copy(ctx, top)
		}},
	} {
		s.Note(fmt.Sprintf("build %s: %s, %s", strings.ToUpper(side.name), side.note, strings.Join(s.Command, " ")))
		tree := &extracted{repository: repository, top: filepath.Join(r.folder.Path(), side.name), temp: filepath.Join(r.folder.Path(), side.name+"-go")}
		side.program.Path, side.program.Dir = "", corresponding(repository.Top, tree.top, s.Dir)
		notes, err := side.write(tree.top)
		if err == nil {
			var more []string
			more, err = tree.build(ctx, s, corresponding(repository.Top, tree.top, in), workspace, side.name)
			notes = append(notes, more...)
		}
		if err == nil {
			err = side.program.find(s.Program)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return &BuildError{side.title, err}
		}
		if side.program == &r.A { // those of B are the same
			r.Notes = append(r.Notes, notes...)
		}
	}
	r.Notes = append(r.Notes, toolchains(r.A.Side, r.B.Side)...)
	return nil
}

// corresponding returns the path below the directory copied that corresponds to path below top.
func corresponding(top, copied, path string) string {
	relative, err := filepath.Rel(top, path)
	if err != nil {
		return copied
	}
	return filepath.Join(copied, relative)
}

// hasGo reports whether the go tool is installed, which other programs do not need.
func hasGo() bool {
	_, err := exec.LookPath("go")
	return err == nil
}

// build runs the command of s in the directory at. A Go module there is built in the same
// workspace, and with the same modules outside of the repository, as by [build].
func (e *extracted) build(ctx context.Context, s Source, at, workspace, name string) (notes []string, err error) {
	if info, err := os.Stat(at); err != nil || !info.IsDir() {
		relative, _ := filepath.Rel(e.top, at)
		return nil, fmt.Errorf("it does not have the folder %s of the scenario, in which sut.build runs", relative)
	}
	if err := os.MkdirAll(e.temp, 0o700); err != nil {
		return nil, err
	}
	env := revision.Environ()
	if module, err := moduleDir(e.top, at, "."); err == nil && hasGo() {
		if notes, err = pin(ctx, module, e.home(module), e.repository.Top); err != nil {
			return nil, err
		}
		file, more, err := e.workspace(ctx, module, workspace)
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
		// If the build is killed, its files are swept with the directory.
		env = append(env, "GOWORK="+file, "GOTMPDIR="+e.temp)
	}
	return notes, sut.Build(ctx, sut.BuildOptions{Command: s.Command, Dir: at, Env: env, Log: filepath.Join(s.Logs, "build-"+name+".log")})
}

// find checks that the build made the program, if it is a relative path, and records the
// toolchain of a Go program.
func (p *Program) find(program string) error {
	if filepath.IsAbs(program) || !strings.ContainsAny(program, `/`+string(filepath.Separator)) {
		return nil
	}
	found, err := exec.LookPath(filepath.Join(p.Dir, program))
	if err != nil {
		return fmt.Errorf("sut.build succeeded, but made no program %s (sut.command, relative to the working folder)", program)
	}
	if built, err := buildinfo.ReadFile(found); err == nil { // else it is not a Go program
		p.Side.Toolchain = built.GoVersion
	}
	return nil
}

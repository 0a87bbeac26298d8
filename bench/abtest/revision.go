package abtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"floodgate/bench/environment/scratch"
	stored "floodgate/results"
	results "floodgate/results/pairs"
)

// TempPrefix is the prefix of temporary directories.
const TempPrefix = "floodgate-against-"

// Source describes the programs to build.
type Source struct {
	// Dir is the working directory: that of the module, or one above it.
	Dir string
	// Ref names the commit of A.
	Ref string
	// Build is the package of the program, relative to Dir; empty means ./bench if Dir is
	// Floodgate's own module.
	Build string
	// Command builds the program in a copy of each revision, in the directory that
	// corresponds to In; empty means that go builds the package Build. Program is the
	// first word of the command that runs the program, relative to Dir.
	Command []string
	In      string
	Program string
	// Logs is the directory of the logs of Command, build-a.log and build-b.log.
	Logs string
	// Note receives messages about slow steps; nil means that nothing is called.
	Note func(text string)
}

// Revisions holds both sides after they are built.
type Revisions struct {
	// A is the other revision, B the working tree as it is.
	A, B Program
	// Own reports that they are Floodgate's own command, not another program that speaks
	// the protocol.
	Own bool
	// Notes are remarks for readers of the outcome.
	Notes []string

	folder *scratch.Folder
}

// Program is one side of a comparison of revisions.
type Program struct {
	// Path is the program that go built; empty means that Source.Command built it.
	Path string
	// Dir is the directory of the side's copy that corresponds to Source.Dir, where the
	// program of Source.Command runs; empty means that go built it.
	Dir  string
	Side results.Side
}

// Prepare builds both sides in a temporary directory, which Close removes, or the next
// Prepare if this process is killed. Its errors include [UsageError], [UnknownRefError] and
// [BuildError].
func Prepare(ctx context.Context, s Source) (_ *Revisions, err error) {
	if s.Note == nil {
		s.Note = func(string) {}
	}
	pkg := ""
	if len(s.Command) == 0 {
		if pkg, err = packageToBuild(ctx, s.Dir, s.Build); err != nil {
			return nil, err
		}
	}
	if s.Dir, err = filepath.EvalSymlinks(s.Dir); err != nil {
		return nil, err
	}
	r, repository, err := begin(ctx, s.Dir, s.Ref)
	if err != nil {
		return nil, err
	}
	r.Own = s.Build == "" && len(s.Command) == 0
	defer func() {
		if err != nil {
			err = errors.Join(err, r.folder.Remove())
		}
	}()
	r.A.Path, r.B.Path = r.program("a"), r.program("b")
	commit := r.A.Side.Revision
	if len(s.Command) > 0 {
		return r, r.buildCopies(ctx, s, repository, commit)
	}
	return r, r.build(ctx, s, repository, commit, pkg)
}

// begin finds the repository of the directory and the commit ref, and makes the temporary
// directory of a comparison. It describes both sides.
func begin(ctx context.Context, dir, ref string) (_ *Revisions, _ *Repository, err error) {
	repository, err := OpenRepository(ctx, dir)
	if err != nil {
		return nil, nil, &UsageError{err}
	}
	commit, err := repository.Commit(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	_, sweepErr := scratch.Sweep("", TempPrefix)
	folder, err := scratch.New("", TempPrefix)
	if err != nil {
		return nil, nil, errors.Join(err, sweepErr)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, folder.Remove())
		}
	}()
	if err := scratch.Executable(filepath.Dir(folder.Path())); err != nil {
		return nil, nil, err
	}
	r := &Revisions{folder: folder}
	r.A.Side = results.Side{Name: ref, Revision: commit}
	r.B.Side = results.Side{Name: "working tree"}
	return r, repository, r.head(ctx, repository)
}

// build builds both sides, in the same workspace.
func (r *Revisions) build(ctx context.Context, s Source, repository *Repository, commit, pkg string) error {
	at, err := moduleDir(repository.Top, s.Dir, pkg)
	if err != nil {
		at = s.Dir // building B will report the error
	}
	workspace, err := workspaceOf(ctx, at)
	if err != nil {
		return err
	}
	s.Note(fmt.Sprintf("build A: %s (%.12s), %s", s.Ref, commit, pkg))
	if err := r.buildA(ctx, repository, s.Dir, commit, pkg, workspace); err != nil {
		return err
	}
	s.Note("build B: the working tree" + changed(r.B.Side) + ", " + pkg)
	if err := r.buildB(ctx, s.Dir, repository.Top, pkg, workspace); err != nil {
		return err
	}
	r.Notes = append(r.Notes, toolchains(r.A.Side, r.B.Side)...)
	return nil
}

// toolchains returns a note if the sides were built with different toolchains of Go.
func toolchains(a, b results.Side) []string {
	built := func(s results.Side) stored.Setting {
		return stored.Setting{Fingerprint: stored.Fingerprint{Go: s.Toolchain}}
	}
	if len(built(a).Compare(built(b)).Unmixable()) == 0 { // not recorded, or the same
		return nil
	}
	return []string{fmt.Sprintf("A was built with %s and B with %s, as their go.mod files require: the toolchain alone can make B slower or faster; set GOTOOLCHAIN to build both with the same one", a.Toolchain, b.Toolchain)}
}

func (r *Revisions) program(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(r.folder.Path(), name)
}

// head describes the working tree in B.
func (r *Revisions) head(ctx context.Context, repository *Repository) error {
	var unknown *UnknownRefError
	commit, err := repository.Commit(ctx, "HEAD")
	if err != nil && !errors.As(err, &unknown) {
		return err
	}
	changes, err := repository.Changes(ctx)
	if err != nil {
		return err
	}
	r.B.Side.Revision, r.B.Side.Modified = commit, len(changes) > 0
	if len(changes) == 0 && commit == r.A.Side.Revision {
		r.Notes = append(r.Notes, "both sides are the same commit, and the working tree has no changes")
	}
	return nil
}

func changed(s results.Side) string {
	if s.Modified {
		return ", with changes"
	}
	return ""
}

func (r *Revisions) buildA(ctx context.Context, repository *Repository, dir, commit, pkg, workspace string) error {
	fail := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &BuildError{fmt.Sprintf("A (%s, %.12s)", r.A.Side.Name, commit), err}
	}
	temp := r.folder.Path()
	top := filepath.Join(temp, "source")
	notes, err := repository.Extract(ctx, commit, temp, top)
	if err != nil {
		return fail(err)
	}
	r.Notes = append(r.Notes, notes...)
	below, err := filepath.Rel(repository.Top, dir)
	if err != nil {
		return fail(err)
	}
	here := filepath.Join(top, below)
	at, err := moduleDir(top, here, pkg)
	if err != nil {
		return fail(errors.New("it does not have a go.mod for " + pkg))
	}
	inside, err := filepath.Rel(top, at)
	if err != nil {
		return fail(err)
	}
	if notes, err = pin(ctx, at, filepath.Join(repository.Top, inside), repository.Top); err != nil {
		return fail(err)
	}
	r.Notes = append(r.Notes, notes...)
	relative, err := relativePackage(at, here, pkg)
	if err != nil {
		return fail(err)
	}
	tree := &extracted{repository: repository, top: top, temp: temp}
	if workspace, notes, err = tree.workspace(ctx, at, workspace); err != nil {
		return fail(err)
	}
	r.Notes = append(r.Notes, notes...)
	if r.A.Side.Toolchain, err = build(ctx, at, workspace, relative, r.A.Path); err != nil {
		return fail(err)
	}
	return nil
}

func (r *Revisions) buildB(ctx context.Context, dir, top, pkg, workspace string) error {
	at, err := moduleDir(top, dir, pkg)
	if err == nil {
		pkg, err = relativePackage(at, dir, pkg)
	}
	if err == nil {
		r.B.Side.Toolchain, err = build(ctx, at, workspace, pkg, r.B.Path)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &BuildError{"B (the working tree" + changed(r.B.Side) + ")", err}
	}
	return nil
}

// relativePackage returns pkg, which is relative to dir, relative to the directory at.
func relativePackage(at, dir, pkg string) (string, error) {
	relative, err := filepath.Rel(at, filepath.Join(dir, filepath.FromSlash(pkg)))
	return "./" + filepath.ToSlash(relative), err
}

// Close removes the temporary directory.
func (r *Revisions) Close() error { return r.folder.Remove() }

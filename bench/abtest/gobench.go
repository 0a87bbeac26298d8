package abtest

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"floodgate/bench/internal/group"
	"floodgate/results/revision"
)

// BenchmarkSource describes the Go benchmarks to build.
type BenchmarkSource struct {
	// Dir is the working directory: that of the module, or one below it.
	Dir string
	// Ref names the commit of A.
	Ref string
	// Packages are patterns of packages relative to Dir, such as ./...
	Packages []string
	// Bench is the value of -bench. Packages without a benchmark that it matches are not
	// built.
	Bench string
	// Note receives messages about slow steps; nil means that nothing is called.
	Note func(text string)
}

// BenchmarkRevisions holds the test programs of both sides after they are built.
type BenchmarkRevisions struct {
	*Revisions
	Packages []BenchmarkPackage
}

// BenchmarkPackage is a package with the test programs of both sides.
type BenchmarkPackage struct {
	// Name is the path with which it is imported.
	Name string
	// A and B are the test programs. Their directories are those of the package.
	A, B Program
}

// PrepareBenchmarks builds the test programs of both sides in a temporary directory, which
// Close removes, or the next comparison if this process is killed. A's run in a copy of its
// revision, B's in the working tree. The notes name packages that A lacks. The errors
// include [UsageError], [UnknownRefError] and [BuildError].
func PrepareBenchmarks(ctx context.Context, s BenchmarkSource) (_ *BenchmarkRevisions, err error) {
	if s.Note == nil {
		s.Note = func(string) {}
	}
	if s.Dir, err = filepath.EvalSymlinks(s.Dir); err != nil {
		return nil, err
	}
	found, err := benchmarkPackages(ctx, s)
	if err != nil {
		return nil, err
	}
	r, repository, err := begin(ctx, s.Dir, s.Ref)
	if err != nil {
		return nil, err
	}
	b := &benchmarkBuild{
		r: &BenchmarkRevisions{Revisions: r}, repository: repository, bench: s.Bench, note: s.Note, modules: map[string]string{}, workspaces: map[string]string{},
		tree: &extracted{repository: repository, top: filepath.Join(r.folder.Path(), "source"), temp: r.folder.Path()},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.folder.Remove())
		}
	}()
	notes, err := repository.Extract(ctx, r.A.Side.Revision, b.tree.temp, b.tree.top)
	if err != nil {
		return nil, b.failed(ctx, &r.A, err)
	}
	r.Notes = append(r.Notes, notes...)
	for _, p := range found {
		if err := b.both(ctx, p); err != nil {
			return nil, err
		}
	}
	if len(b.r.Packages) == 0 {
		return nil, &UsageError{fmt.Errorf("%s has none of the packages with benchmarks that --bench %q matches: %s", s.Ref, s.Bench, strings.Join(b.missing, ", "))}
	}
	if len(b.missing) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("not compared, as %s has no such benchmarks: %s", s.Ref, strings.Join(b.missing, ", ")))
	}
	r.Notes = append(r.Notes, toolchains(r.A.Side, r.B.Side)...)
	return b.r, nil
}

// foundPackage is a package of the working tree that has benchmarks.
type foundPackage struct{ name, dir string }

// listFormat prints the path, the directory and the test files of a package.
const listFormat = `{{.ImportPath}}{{"\t"}}{{.Dir}}{{range .TestGoFiles}}{{"\t"}}{{.}}{{end}}{{range .XTestGoFiles}}{{"\t"}}{{.}}{{end}}`

// benchmarkPackages returns the packages of the working tree that have a benchmark that the
// pattern matches.
func benchmarkPackages(ctx context.Context, s BenchmarkSource) (found []foundPackage, err error) {
	if _, err := regexp.Compile(s.Bench); err != nil {
		return nil, &UsageError{fmt.Errorf("--bench: %w", err)}
	}
	text, err := output(ctx, goCommand(ctx, s.Dir, "", append([]string{"list", "-f", listFormat, "--"}, s.Packages...)...))
	if failed := new(CommandError); errors.As(err, &failed) {
		return nil, &UsageError{fmt.Errorf("--package %s: %w", strings.Join(s.Packages, ","), err)}
	} else if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		words := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(words) > 2 && hasBenchmark(words[1], words[2:], s.Bench) {
			found = append(found, foundPackage{words[0], words[1]})
		}
	}
	if len(found) == 0 {
		return nil, &UsageError{fmt.Errorf("no package of %s has a benchmark that --bench %q matches", strings.Join(s.Packages, ","), s.Bench)}
	}
	return found, nil
}

// hasBenchmark reports whether test files in a directory have a function that -bench may
// match. Files that cannot be parsed count; the build reports the error.
func hasBenchmark(dir string, files []string, bench string) bool {
	// The part before a slash matches the function, if the pattern is a plain one.
	top, _, _ := strings.Cut(bench, "/")
	match, err := regexp.Compile(top)
	if err != nil || strings.Contains(bench, "|") {
		match = regexp.MustCompile("")
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return true
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Benchmark") && match.MatchString(f.Name.Name) {
				return true
			}
		}
	}
	return false
}

// benchmarkBuild builds the test programs of packages.
type benchmarkBuild struct {
	r          *BenchmarkRevisions
	repository *Repository
	tree       *extracted
	bench      string
	note       func(text string)
	// modules holds the workspace of A by the directory of a module, and workspaces that of A
	// by that of B.
	modules, workspaces map[string]string
	missing             []string
}

// both builds the programs of both sides of a package, unless A lacks its benchmarks.
func (b *benchmarkBuild) both(ctx context.Context, p foundPackage) error {
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		return err
	}
	copied, inside := b.tree.copyOf(dir)
	if !inside {
		return &UsageError{fmt.Errorf("--package: %s is outside of the repository %s", p.name, b.repository.Top)}
	}
	files, err := filepath.Glob(filepath.Join(copied, "*_test.go"))
	if err != nil {
		return err
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if !hasBenchmark(copied, files, b.bench) {
		b.missing = append(b.missing, p.name)
		return nil
	}
	b.note("build the benchmarks of " + p.name)
	number := fmt.Sprint(len(b.r.Packages))
	built := BenchmarkPackage{Name: p.name, A: Program{Path: b.r.program("a" + number), Dir: copied}, B: Program{Path: b.r.program("b" + number), Dir: dir}}
	home, err := moduleDir(b.repository.Top, dir, ".")
	if err != nil {
		return &UsageError{err}
	}
	workspace, err := workspaceOf(ctx, home)
	if err != nil {
		return err
	}
	at, err := moduleDir(b.tree.top, copied, ".")
	if err != nil {
		return b.failed(ctx, &b.r.A, errors.New("it does not have a go.mod for "+p.name))
	}
	other, err := b.module(ctx, at, workspace)
	if err == nil {
		b.r.A.Side.Toolchain, err = buildTest(ctx, copied, other, built.A.Path)
	}
	if err != nil {
		return b.failed(ctx, &b.r.A, err)
	}
	if b.r.B.Side.Toolchain, err = buildTest(ctx, dir, workspace, built.B.Path); err != nil {
		return b.failed(ctx, &b.r.B, err)
	}
	b.r.Packages = append(b.r.Packages, built)
	return nil
}

// module prepares a module of A and returns its workspace, given that of B.
func (b *benchmarkBuild) module(ctx context.Context, at, current string) (string, error) {
	if file, ok := b.modules[at]; ok {
		return file, nil
	}
	notes, err := pin(ctx, at, b.tree.home(at), b.repository.Top)
	if err != nil {
		return "", err
	}
	b.r.Notes = append(b.r.Notes, notes...)
	file, known := b.workspaces[current]
	if !known || current == noWorkspace { // a module may have a workspace only in A
		if file, notes, err = b.tree.workspace(ctx, at, current); err != nil {
			return "", err
		}
		b.r.Notes = append(b.r.Notes, notes...)
	}
	b.modules[at], b.workspaces[current] = file, file
	return file, nil
}

// failed returns a [BuildError] of a side, or the error of ctx.
func (b *benchmarkBuild) failed(ctx context.Context, side *Program, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if side == &b.r.A {
		return &BuildError{fmt.Sprintf("A (%s, %.12s)", side.Side.Name, side.Side.Revision), err}
	}
	return &BuildError{"B (the working tree" + changed(side.Side) + ")", err}
}

// buildTest builds the test program of the package in dir as the file out, and returns the
// version of the toolchain.
func buildTest(ctx context.Context, dir, workspace, out string) (toolchain string, err error) {
	cmd := goCommand(ctx, dir, workspace, "test", "-c", "-vet=off", "-o", out, ".")
	cmd.Env = append(cmd.Env, "GOTMPDIR="+filepath.Dir(out))
	if _, err := output(ctx, cmd); err != nil {
		return "", err
	}
	built, err := buildinfo.ReadFile(out)
	if err != nil {
		return "", fmt.Errorf("read the toolchain of the tests in %s: %w", dir, err)
	}
	return built.GoVersion, nil
}

// Benchmarks describes how to run the benchmarks of both sides in turn.
type Benchmarks struct {
	Packages []BenchmarkPackage
	// Bench and Time are the values of -bench and -benchtime.
	Bench, Time string
	// Rounds is the number of times that each benchmark runs on both sides.
	Rounds int
	// Budget is the duration in which the last round must end, judged by the previous
	// rounds; zero means no limit. Now is the clock.
	Budget time.Duration
	Now    func() time.Time
	// Seed determines which side runs first in every round.
	Seed uint64
	// A and B receive the outputs of the two sides.
	A, B io.Writer
	// Progress is called after every round.
	Progress func(rounds, most int)
}

// BenchmarkError reports that the benchmarks of a package failed.
type BenchmarkError struct {
	Side, Package string
	Err           error
	// Output is the end of its standard output and the beginning of its standard error.
	Output string
}

func (e *BenchmarkError) Error() string {
	text := fmt.Sprintf("the benchmarks of %s in %s failed: %v", e.Side, e.Package, e.Err)
	if e.Output != "" {
		text += "\n  " + strings.ReplaceAll(e.Output, "\n", "\n  ")
	}
	return text
}

func (e *BenchmarkError) Unwrap() error { return e.Err }

// RunBenchmarks runs the benchmarks of each package on both sides, one side right after the
// other in random order, and repeats that in rounds, so that what the machine does meanwhile
// affects both alike. It returns the number of complete rounds; outputs of an incomplete one
// are not written. If nothing matches Bench, the error is a [UsageError]; if benchmarks
// fail, it is a [BenchmarkError].
func RunBenchmarks(ctx context.Context, b Benchmarks) (rounds int, err error) {
	order := rand.New(rand.NewPCG(b.Seed, 3))
	began := b.Now()
	for rounds < b.Rounds {
		if spent := b.Now().Sub(began); rounds > 0 && b.Budget > 0 && spent+spent/time.Duration(rounds) > b.Budget {
			break
		}
		var text [2]bytes.Buffer
		for _, p := range b.Packages {
			first := order.IntN(2)
			for _, side := range []int{first, 1 - first} {
				program := []Program{p.A, p.B}[side]
				out, logged, err := b.run(ctx, program)
				if err != nil {
					if ctx.Err() != nil {
						return rounds, context.Cause(ctx)
					}
					return rounds, &BenchmarkError{[]string{"A", "B"}[side], p.Name, err, strings.TrimSpace(tail(string(out)) + "\n" + head(logged))}
				}
				text[side].Write(out)
			}
		}
		if rounds == 0 && !hasResult(text[0].Bytes()) && !hasResult(text[1].Bytes()) {
			return 0, &UsageError{fmt.Errorf("no benchmark matches --bench %q", b.Bench)}
		}
		for side, w := range []io.Writer{b.A, b.B} {
			if _, err := w.Write(text[side].Bytes()); err != nil {
				return rounds, err
			}
		}
		rounds++
		b.Progress(rounds, b.Rounds)
	}
	return rounds, nil
}

// hasResult reports whether an output has a line of a benchmark.
func hasResult(text []byte) bool {
	return bytes.HasPrefix(text, []byte("Benchmark")) || bytes.Contains(text, []byte("\nBenchmark"))
}

// run runs the benchmarks of a test program once and returns its standard output and, if it
// failed, its standard error. The program ends with this process.
func (b *Benchmarks) run(ctx context.Context, p Program) (out []byte, logged string, err error) {
	cmd := command(ctx, p.Dir, p.Path, "-test.run=^$", "-test.bench="+b.Bench, "-test.benchmem", "-test.benchtime="+b.Time, "-test.timeout=0")
	group.EndWithParent(cmd)
	cmd.Env = append(revision.Environ(), "PWD="+p.Dir)
	// Files, not pipes, which a grandchild could hold open; in the directory that is swept.
	var files [2]*os.File
	for i, name := range []string{"stdout", "stderr"} {
		file, err := os.Create(filepath.Join(filepath.Dir(p.Path), name))
		if err != nil {
			return nil, "", err
		}
		defer file.Close()
		files[i] = file
	}
	cmd.Stdout, cmd.Stderr = files[0], files[1] // apart, so that logs do not tear results
	err = cmd.Run()
	if cmd.Process != nil {
		group.Kill(cmd.Process.Pid)
	}
	out, readErr := os.ReadFile(files[0].Name())
	if err != nil {
		text, _ := os.ReadFile(files[1].Name()) // the error of the program counts
		logged = string(text)
	}
	return out, logged, errors.Join(err, readErr)
}

// head returns the first lines of a text, where Go describes a panic.
func head(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > tailLines {
		lines = append(lines[:tailLines:tailLines], "…")
	}
	return strings.Join(lines, "\n")
}

package abtest

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	gobuild "go/build"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"floodgate/results/revision"
)

// ownPackage is the command of our own module, which is the SUT by default.
const ownPackage = "./bench"

// BuildError reports that a side could not be built.
type BuildError struct {
	Side string // such as "A (v1.2)"
	Err  error
}

func (e *BuildError) Error() string { return fmt.Sprintf("build %s: %v", e.Side, e.Err) }
func (e *BuildError) Unwrap() error { return e.Err }

// module is the relevant content of a go.mod file.
type module struct {
	Module  struct{ Path string }
	Replace []replacement
}

type replacement struct {
	Old, New struct{ Path, Version string }
}

// old returns the replaced module in the form of the flag -replace.
func (r replacement) old() string {
	if r.Old.Version == "" {
		return r.Old.Path
	}
	return r.Old.Path + "@" + r.Old.Version
}

// goCommand returns a command of the go tool in dir, with a go.work file; "off" means
// without one, and empty means the one that go finds.
func goCommand(ctx context.Context, dir, workspace string, args ...string) *exec.Cmd {
	cmd := command(ctx, dir, "go", args...)
	cmd.Env = revision.Environ()
	if workspace != "" {
		cmd.Env = append(cmd.Env, "GOWORK="+workspace)
	}
	return cmd
}

// readModule reads the go.mod file in dir.
func readModule(ctx context.Context, dir string) (module, error) {
	var m module
	text, err := output(ctx, goCommand(ctx, dir, "", "mod", "edit", "-json", "go.mod"))
	if err != nil {
		return m, fmt.Errorf("read go.mod: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("read go.mod: %w", err)
	}
	return m, nil
}

// moduleDir returns the directory of the module of a package path such as ./cmd/sut: the
// nearest one above it, within top, that has a go.mod file.
func moduleDir(top, dir, pkg string) (string, error) {
	at := filepath.Join(dir, filepath.FromSlash(pkg))
	for {
		if readable(filepath.Join(at, "go.mod")) {
			return at, nil
		}
		if at == top || at == filepath.Dir(at) {
			return "", fmt.Errorf("no go.mod for %s found within %s", pkg, top)
		}
		at = filepath.Dir(at)
	}
}

// pin redirects the replacements of a module that lead out of its repository to the same
// directories as in the working tree, where home is the module's directory. The notes name
// them, because both sides are built with their current content.
func pin(ctx context.Context, dir, home, top string) (notes []string, err error) {
	if readable(filepath.Join(dir, "vendor", "modules.txt")) {
		return nil, nil // go reads nothing outside, and go.mod must agree with the vendor directory
	}
	return pinReplacements(ctx, dir, home, top)
}

// pinReplacements is like pin, even with a vendor directory, which go does not use in a
// workspace.
func pinReplacements(ctx context.Context, dir, home, top string) (notes []string, err error) {
	m, err := readModule(ctx, dir)
	if err != nil {
		return nil, err
	}
	for _, r := range m.Replace {
		if r.New.Version != "" || filepath.IsAbs(r.New.Path) {
			continue
		}
		target := filepath.Join(home, filepath.FromSlash(r.New.Path))
		if within(top, target) {
			continue
		}
		if _, err := output(ctx, goCommand(ctx, dir, noWorkspace, "mod", "edit", "-replace="+r.old()+"="+target, "go.mod")); err != nil {
			return nil, fmt.Errorf("replace %s: %w", r.old(), err)
		}
		notes = append(notes, fmt.Sprintf("%s is replaced by %s, which is outside of the repository: both sides are built with its current content", r.old(), r.New.Path))
	}
	return notes, nil
}

// within reports whether path is top or below it.
func within(top, path string) bool {
	relative, err := filepath.Rel(top, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// build builds a package of the module in dir as the file out, and returns the version of
// the toolchain, which the lines go and toolchain of go.mod may select. It does not stamp
// the revision, because git would refresh its index.
func build(ctx context.Context, dir, workspace, pkg, out string) (toolchain string, err error) {
	cmd := goCommand(ctx, dir, workspace, "build", "-buildvcs=false", "-o", out, pkg)
	// If the build is killed, its files are swept with the directory.
	cmd.Env = append(cmd.Env, "GOTMPDIR="+filepath.Dir(out))
	if _, err := output(ctx, cmd); err != nil {
		return "", err
	}
	info, err := os.Stat(out)
	if err != nil {
		return "", err
	}
	if info.Mode()&0o111 == 0 && !strings.HasSuffix(out, ".exe") {
		return "", fmt.Errorf("%s is not a main package", pkg)
	}
	built, err := buildinfo.ReadFile(out)
	if err != nil {
		return "", fmt.Errorf("read the toolchain of %s: %w", pkg, err)
	}
	return built.GoVersion, nil
}

// packageToBuild returns the flag or, without one, the command of Floodgate's own module.
func packageToBuild(ctx context.Context, dir, flag string) (string, error) {
	if flag != "" {
		clean := filepath.ToSlash(filepath.Clean(flag))
		if filepath.IsAbs(flag) || clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(flag, "-") {
			return "", &UsageError{fmt.Errorf("--build must be the path of a package below this folder, such as ./cmd/sut (got %q)", flag)}
		}
		if info, err := os.Stat(filepath.Join(dir, clean)); err != nil || !info.IsDir() {
			return "", &UsageError{fmt.Errorf("--build %q: no such folder in the working tree; use the path of a package below this folder, such as ./cmd/sut", flag)}
		}
		if clean == "." {
			return clean, nil
		}
		return "./" + clean, nil
	}
	if readable(filepath.Join(dir, "go.mod")) {
		m, err := readModule(ctx, dir)
		if err == nil && m.Module.Path == revision.Module {
			return ownPackage, nil
		}
	}
	return "", &UsageError{errors.New("cannot tell which program is the system under test; name its package in this module with --build ./PACKAGE (default in Floodgate's own module: ./bench)")}
}

// PackageOf returns the main package, relative to dir, that go builds for a program whose
// path is relative to dir, as in sut.command, or "" if there is none. It is the first of
//
//	./tools/reportd   the folder that the path names
//	./cmd/reportd     the folder of the program's name in cmd
//	.                 dir itself, if go names its program so
func PackageOf(ctx context.Context, dir, program string) string {
	if filepath.IsAbs(program) || !strings.ContainsAny(program, "/"+string(filepath.Separator)) {
		return ""
	}
	clean := filepath.ToSlash(filepath.Clean(program))
	name := strings.TrimSuffix(path.Base(clean), ".exe")
	for _, pkg := range []string{clean, "cmd/" + name} {
		if !strings.HasPrefix(pkg, "../") && isMain(filepath.Join(dir, pkg)) {
			return "./" + pkg
		}
	}
	if !readable(filepath.Join(dir, "go.mod")) || !isMain(dir) {
		return ""
	}
	if m, err := readModule(ctx, dir); err == nil && name == programName(m.Module.Path) {
		return "."
	}
	return ""
}

// isMain reports whether the folder holds a main package.
func isMain(dir string) bool {
	p, err := gobuild.ImportDir(dir, 0)
	return err == nil && p.IsCommand()
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// programName returns the name of the program in the root of a module.
func programName(module string) string {
	if above, name := path.Split(module); majorVersion.MatchString(name) && above != "" {
		return path.Base(above)
	}
	return path.Base(module)
}

// UsageError reports a mistake in the arguments.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

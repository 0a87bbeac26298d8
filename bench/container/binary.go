package container

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"floodgate/bench/environment/scratch"
	"floodgate/results/revision"
)

// program is the package of our command.
const program = revision.Module + "/bench"

// binary is the content of an image.
type binary struct {
	once sync.Once
	err  error
	path string
	hash string          // SHA-256 in hexadecimal
	made *scratch.Folder // the directory in which it was built; nil means that it was not built
}

func (b *binary) remove() error {
	if b.made == nil {
		return nil
	}
	return b.made.Remove()
}

// CanBuild returns nil if an image can be built from the executable. Otherwise it returns the
// reason: the executable is not a static binary for containers, and none can be built.
func (e *Engine) CanBuild(executable string) error {
	unfit := e.fit(executable)
	if unfit == nil {
		return nil
	}
	if err := e.canCompile(context.Background()); err != nil {
		return fmt.Errorf("%w, and none can be built: %w", unfit, err)
	}
	return nil
}

// fit returns the reason why the executable cannot be the only file of an image.
func (e *Engine) fit(executable string) error {
	file, err := elf.Open(executable)
	if err != nil {
		return fmt.Errorf("%s is not a Linux binary", filepath.Base(executable))
	}
	defer file.Close()
	machines := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "386": elf.EM_386,
		"riscv64": elf.EM_RISCV, "s390x": elf.EM_S390, "ppc64le": elf.EM_PPC64, "loong64": elf.EM_LOONGARCH,
	}
	if file.Machine != machines[e.goarch] {
		return fmt.Errorf("%s is for %s, containers here are for %s", filepath.Base(executable), file.Machine, e.goarch)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static (CGO_ENABLED=0 go build makes one that is)", filepath.Base(executable))
		}
	}
	return nil
}

// canCompile returns the reason why the Go tool chain cannot build our command.
func (e *Engine) canCompile(ctx context.Context) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("no Go toolchain was found")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", program)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return fmt.Errorf("the source of %s is not available: %s", program, line)
	}
	return nil
}

// binaryOf returns the executable if it is suitable for an image, or builds a static binary.
func (e *Engine) binaryOf(ctx context.Context, executable string, note func(string)) (*binary, error) {
	e.mu.Lock()
	b := e.binaries[executable]
	if b == nil {
		b = &binary{}
		e.binaries[executable] = b
	}
	e.mu.Unlock()
	b.once.Do(func() { b.err = e.obtain(ctx, b, executable, note) })
	return b, b.err
}

func (e *Engine) obtain(ctx context.Context, b *binary, executable string, note func(string)) (err error) {
	if b.path = executable; e.fit(executable) != nil {
		if err := e.CanBuild(executable); err != nil {
			return err
		}
		note("building this program as a static binary, for images")
		if err := e.compile(ctx, b); err != nil {
			return err
		}
	}
	b.hash, err = hashFile(b.path)
	return err
}

// BuildPrefix is the prefix of temporary directories of static binaries.
const BuildPrefix = "floodgate-build-"

func (e *Engine) compile(ctx context.Context, b *binary) (err error) {
	if _, err := scratch.Sweep("", BuildPrefix); err != nil { // of killed processes
		return err
	}
	if b.made, err = scratch.New("", BuildPrefix); err != nil {
		return err
	}
	b.path = filepath.Join(b.made.Path(), "floodgate")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", b.path, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+e.goos, "GOARCH="+e.goarch, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %s/%s: %w\n%s", program, e.goos, e.goarch, err, bytes.TrimSpace(out))
	}
	return nil
}

func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

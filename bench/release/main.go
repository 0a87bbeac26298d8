// Command release builds what a release consists of, in a folder that does not exist yet:
//
//	go run ./bench/release dist
//
//	dist/floodgate_0.2.0_linux_amd64.tar.gz    floodgate and its companions, static, with man
//	dist/floodgate_0.2.0_windows_amd64.zip     pages, completions, README and license
//	dist/floodgate_0.2.0_linux_amd64.cdx.json  the modules in them (SBOM, CycloneDX)
//	dist/floodgate_0.2.0_linux_amd64.oci.tar   the image of floodgate-kubernetes
//	dist/checksums.txt                         SHA-256 of all of them
//
// The same commit and Go version give the same files, byte by byte. It must run in the top
// folder of the repository.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"floodgate/bench/cli"
)

// platforms that are released, each with its format of archives.
var platforms = [...]struct{ os, arch, archive string }{
	{"linux", "amd64", ".tar.gz"},
	{"linux", "arm64", ".tar.gz"},
	{"darwin", "amd64", ".tar.gz"},
	{"darwin", "arm64", ".tar.gz"},
	{"windows", "amd64", ".zip"},
}

// sbomTool lists the modules of a binary.
const sbomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0"

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		fmt.Fprintln(os.Stderr, "release: name the new folder: go run ./bench/release dist")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := release(ctx, os.Args[1], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release builds a release of HEAD in the folder out. After an error, there is no folder.
func release(ctx context.Context, out string, progress io.Writer) (err error) {
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s exists: remove it first", out)
	}
	if err := clean(ctx); err != nil {
		return err
	}
	at, err := committed(ctx)
	if err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(out), ".release-")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "floodgate-release-")
	if err != nil {
		return errors.Join(err, os.RemoveAll(partial))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work), os.RemoveAll(partial)) }()
	shared, err := documents(filepath.Join(work, "documents"), at)
	if err != nil {
		return err
	}
	for _, p := range platforms {
		name := fmt.Sprintf("floodgate_%s_%s_%s", cli.Version, p.os, p.arch)
		fmt.Fprintln(progress, name)
		programs, err := build(ctx, filepath.Join(work, name), p.os, p.arch)
		if err != nil {
			return err
		}
		a := archive{folder: name, at: at}
		if err := a.write(filepath.Join(partial, name+p.archive), append(programs, shared...)); err != nil {
			return err
		}
		if err := sbom(ctx, programs[0].path, filepath.Join(partial, name+".cdx.json")); err != nil {
			return err
		}
		if p.os == "linux" {
			if err := image(ctx, programs[1].path, filepath.Join(partial, name+".oci.tar")); err != nil {
				return err
			}
		}
	}
	if err := checksums(partial); err != nil {
		return err
	}
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	return os.Rename(partial, out)
}

// clean returns an error if the working tree differs from HEAD and the version is that of
// a release.
func clean(ctx context.Context) error {
	if strings.HasSuffix(cli.Version, "-dev") {
		return nil
	}
	changes, err := output(ctx, nil, "git", "status", "--porcelain")
	if err == nil && changes != "" {
		err = fmt.Errorf("the working tree has changes: commit them first\n%s", changes)
	}
	return err
}

// committed returns the time of HEAD, which all files get.
func committed(ctx context.Context) (time.Time, error) {
	words, err := output(ctx, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(words), 10, 64)
	return time.Unix(seconds, 0).UTC(), err
}

// build compiles all programs for a platform, floodgate first and floodgate-kubernetes next.
func build(ctx context.Context, dir, goos, goarch string) ([]file, error) {
	suffix := ""
	if goos == "windows" {
		suffix = ".exe"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	env := []string{"CGO_ENABLED=0", "GOOS=" + goos, "GOARCH=" + goarch, "GOWORK=off", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"}
	var programs []file
	for _, p := range []struct{ name, module, target string }{
		{"floodgate", ".", "./bench"},
		{"floodgate-kubernetes", "bench/kubernetes", "."},
		{"floodgate-push", "bench/push", "."},
	} {
		f := file{name: p.name + suffix, path: filepath.Join(dir, p.name+suffix), mode: 0o755}
		if _, err := output(ctx, env, "go", "build", "-C", p.module, "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", f.path, p.target); err != nil {
			return nil, err
		}
		programs = append(programs, f)
	}
	return programs, nil
}

// image writes the image of a program for Linux.
func image(ctx context.Context, program, out string) error {
	_, err := output(ctx, []string{"CGO_ENABLED=0"}, "go", "run", "-C", "bench/kubernetes", ".", "image", "--binary", program, "--output", absolute(out))
	return err
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// checksums writes the sums of all files of a folder, as sha256sum does.
func checksums(dir string) error {
	entries, err := os.ReadDir(dir) // in the order of their names
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "checksums.txt"), []byte(lines.String()), 0o644)
}

// output runs a command and returns what it prints.
func output(ctx context.Context, env []string, words ...string) (string, error) {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(words, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

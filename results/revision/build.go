package revision

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Built returns the version of Go that built the program of a command, and the C library
// that it loads: "glibc 2.36", "musl", or "none" for a static program. Empty means
// unknown, as for scripts and other files that are not in the ELF format. The program of
// "python3 app.py" is Python.
func Built(command []string) (toolchain, cLibrary string) {
	if len(command) == 0 {
		return "", ""
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return "", ""
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		toolchain = info.GoVersion
	}
	return toolchain, cLibraryOf(path)
}

// release finds the version in glibc's file, which starts with a text for people who run it.
var release = regexp.MustCompile(`GNU C Library [^\n]* version (\d+\.\d+)`)

// cLibraryOf returns the C library of an ELF file by its dynamic loader.
func cLibraryOf(path string) string {
	file, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	loader := ""
	for _, p := range file.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return ""
		}
		loader = string(bytes.TrimRight(name, "\x00"))
	}
	switch base := filepath.Base(loader); {
	case loader == "":
		return "none"
	case strings.HasPrefix(base, "ld-musl-"):
		return "musl"
	case strings.HasPrefix(base, "ld-linux") || strings.HasPrefix(base, "ld64.so"):
		return strings.TrimSpace("glibc " + glibcVersion(loader))
	}
	return ""
}

// glibcVersion returns the version of the library beside a loader, or "".
func glibcVersion(loader string) string {
	real, err := filepath.EvalSymlinks(loader)
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(real), "libc.so.6"))
	if err != nil {
		return ""
	}
	if m := release.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

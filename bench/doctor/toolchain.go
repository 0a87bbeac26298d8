package doctor

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// toolchain is needed only where an image is made and this program is not a
// static one of Linux.
func (s sources) toolchain(executable string) Check {
	const name = "go tool chain"
	static := s.static(executable)
	version, path, err := s.goVersion()
	switch {
	case err == nil:
		return fine(name, strings.TrimSpace(version)+" at "+path)
	case static == nil:
		return fine(name, "none, nor needed: images are made of this program, which is static")
	}
	return doubt(name, fmt.Sprintf("none, and images cannot be made of this program: %v", static),
		"install Go (https://go.dev/dl), or build the program statically on a machine that has it; embedded runs need neither:\nCGO_ENABLED=0 go build -o floodgate ./bench")
}

// static is nil for a program of Linux that needs no loader.
func static(executable string) error {
	f, err := elf.Open(executable)
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return err
	}
	if err != nil {
		return fmt.Errorf("it is not a program of Linux: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked to the libraries of this system")
		}
	}
	return nil
}

package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"floodgate/bench/environment/scratch"
	"floodgate/results/text"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// Below the first limit no run starts, and below the second one it may not finish.
const (
	minMemory, wantedMemory = 256 * mebibyte, gibibyte
	minDisk, wantedDisk     = 100 * mebibyte, gibibyte
	minFiles                = 1000
)

// memory checks the memory that is available to all processes of a run together.
func (s sources) memory() Check {
	const name = "memory"
	n, err := s.available()
	if err != nil {
		return unknown(name, err.Error(), "check it yourself (a run takes about 1 GiB):\nfree -h")
	}
	found := text.Bytes(int64(n)) + " available"
	if left, ok := s.machine().MemoryLeft(); ok && left < n {
		n = left
		found = text.Bytes(int64(n)) + " left to the control group"
	}
	do := fmt.Sprintf("free memory, or raise the limit: a run of the scenarios takes about %s", text.Bytes(wantedMemory))
	switch {
	case n < minMemory:
		return failed(name, found, do)
	case n < wantedMemory:
		return warning(name, found, do)
	}
	return passed(name, found)
}

// space checks whether the directory, or its nearest existing ancestor, is writable and has
// enough space.
func (s sources) space(name, folder string) Check {
	dir := existing(folder)
	do := folderAdvice(name) + ", or free space:\ndf -h " + quote(dir)
	r, err := s.free(dir)
	if err != nil {
		return unknown(name, err.Error(), do)
	}
	found := fmt.Sprintf("%s free for %s", text.Bytes(int64(r.bytes)), folder)
	if r.bytes < minDisk {
		return failed(name, found, do)
	}
	if r.known && r.files < minFiles {
		return failed(name, fmt.Sprintf("%s, but only %s more files", found, text.Count(r.files)), do+"\ndf -i "+quote(dir))
	}
	if err := s.writable(dir); err != nil {
		return failed(name, fmt.Sprintf("%s cannot be written to: %v", dir, err), do)
	}
	if err := s.lockable(dir); err != nil {
		return failed(name, err.Error(), folderAdvice(name)+", on a local file system: runs and databases are locked while they are being written")
	}
	if r.bytes < wantedDisk {
		return warning(name, found, do)
	}
	return passed(name, found)
}

// folderAdvice describes how to use another directory for the disk of that name.
func folderAdvice(name string) string {
	if name == "disk for data" {
		return "set TMPDIR to another folder"
	}
	return "choose another folder with --out"
}

// programs checks whether programs in the directory can be executed.
func (s sources) programs(folder string) Check {
	const name = "temporary programs"
	err := s.executable(folder)
	var refused *scratch.ExecError
	switch {
	case errors.As(err, &refused):
		return warning(name, fmt.Sprintf("programs in %s cannot be executed: %v", folder, refused.Err),
			"gate diff builds and executes programs there; the folder may be mounted noexec, so set TMPDIR to one that is not:\nfindmnt -T "+quote(folder)+"\nexport TMPDIR=\"$HOME/tmp\"")
	case err != nil:
		return unknown(name, err.Error(), "set TMPDIR to a writable folder:\nls -ld "+quote(folder))
	}
	return passed(name, "can be executed in "+folder)
}

// existing returns the path or its nearest existing ancestor, which may be a file.
func existing(path string) string {
	path = filepath.Clean(path)
	for {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		up := filepath.Dir(path)
		if up == path {
			return path
		}
		path = up
	}
}

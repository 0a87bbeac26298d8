package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// Below the first no run starts, below the second it may not end.
const (
	leastMemory, wantedMemory = 256 * mebibyte, gibibyte
	leastDisk, wantedDisk     = 100 * mebibyte, gibibyte
	leastFiles                = 1000
)

// memory is what is available to all processes of a run together.
func (s sources) memory() Check {
	const name = "memory"
	n, err := s.available()
	if err != nil {
		return unseen(name, err.Error(), "look yourself: a run takes about a gibibyte:\nfree -h")
	}
	found := size(n) + " available"
	if left, ok := s.memoryLeft(); ok && left < n {
		n = left
		found = size(n) + " left to the control group"
	}
	do := fmt.Sprintf("free some, or allow more: a run of the scenarios takes about %s", size(wantedMemory))
	switch {
	case n < leastMemory:
		return fault(name, found, do)
	case n < wantedMemory:
		return doubt(name, found, do)
	}
	return fine(name, found)
}

// memoryLeft is what the control groups still allow.
func (s sources) memoryLeft() (bytes uint64, ok bool) {
	v2, v1 := s.machine().Groups("memory")
	look := func(dirs []string, limit, usage string) {
		for _, dir := range dirs {
			most, err := strconv.ParseUint(s.read(dir+"/"+limit), 10, 64)
			if err != nil { // "max"
				continue
			}
			used, _ := strconv.ParseUint(s.read(dir+"/"+usage), 10, 64)
			if left := most - min(used, most); !ok || left < bytes {
				bytes, ok = left, true
			}
		}
	}
	look(v2, "memory.max", "memory.current")
	look(v1, "memory.limit_in_bytes", "memory.usage_in_bytes")
	return bytes, ok
}

// space says whether the folder, or the one that it will be made in, can be
// written to.
func (s sources) space(name, folder string) Check {
	dir := existing(folder)
	do := "name another folder with --out, or make room"
	if name == "disk for data" {
		do = "name another folder in TMPDIR, or make room"
	}
	do += ":\ndf -h " + quote(dir)
	r, err := s.free(dir)
	if err != nil {
		return unseen(name, err.Error(), do)
	}
	found := fmt.Sprintf("%s free for %s", size(r.bytes), folder)
	if r.bytes < leastDisk {
		return fault(name, found, do)
	}
	if r.known && r.files < leastFiles {
		return fault(name, fmt.Sprintf("%s, but only %s more files", found, number(r.files)), do+"\ndf -i "+quote(dir))
	}
	if err := s.writable(dir); err != nil {
		return fault(name, fmt.Sprintf("%s cannot be written to: %v", dir, err), do)
	}
	if r.bytes < wantedDisk {
		return doubt(name, found, do)
	}
	return fine(name, found)
}

// existing is the path or the nearest one above it that is there, which is no
// folder where none can be made in it.
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

package doctor

import (
	"bufio"
	"strconv"
	"strings"

	"floodgate/bench/machine"
)

// read is the text of a file without the space around it; "" where it cannot be read.
func (s sources) read(name string) string {
	return s.machine().Read(name)
}

func (s sources) machine() machine.Files {
	if f, ok := s.files.(machine.Files); ok { // wrapped once: a second wrapper would hide ReadFile
		return f
	}
	return machine.Files{FS: s.files}
}

// field is what follows the key at the start of one of the lines.
func field(text, key string) (value string, ok bool) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), key); found {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// after is the number that follows a word in a list of them: "tw 3 alloc 9".
func after(words []string, word string) (n uint64, ok bool) {
	for i, w := range words[:max(len(words)-1, 0)] {
		if w == word {
			n, err := strconv.ParseUint(words[i+1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

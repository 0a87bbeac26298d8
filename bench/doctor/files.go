package doctor

import (
	"bufio"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// read is the text of a file without the space around it; "" where it cannot be read.
func (s sources) read(name string) string {
	src, err := fs.ReadFile(s.files, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(src))
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

// cgroup looks for the files of a controller in this process's control group
// and the groups above it: paths of folders, of version 2 and of version 1.
func (s sources) cgroup(controller string) (v2, v1 []string) {
	lines := bufio.NewScanner(strings.NewReader(s.read("proc/self/cgroup")))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0" && parts[1] == "":
			v2 = upwards("sys/fs/cgroup", parts[2])
		case hasController(parts[1], controller):
			// The folder of cpu and cpuacct together may have either name.
			v1 = append(upwards("sys/fs/cgroup/"+controller, parts[2]), upwards("sys/fs/cgroup/"+parts[1], parts[2])...)
		}
	}
	return v2, v1
}

func hasController(list, controller string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == controller {
			return true
		}
	}
	return false
}

// upwards are the folders of a group and of those above it. Inside a container
// the group's path may be that of the host, of which only the root is there.
func upwards(mount, group string) []string {
	var folders []string
	for group = path.Clean("/" + group); group != "/"; group = path.Dir(group) {
		folders = append(folders, mount+group)
	}
	return append(folders, mount)
}

package doctor

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// processes are children of ours that outlived the program that started them.
// They end by themselves when it dies, so that there should be none; nothing
// here kills them.
func (s sources) processes(children []string) Check {
	const name = "old processes"
	entries, err := fs.ReadDir(s.files, "proc")
	if err != nil {
		return notHere(name)
	}
	var found, pids []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if child, ok := s.orphan(e.Name(), children); ok {
			found = append(found, fmt.Sprintf("%s (process %s)", child, e.Name()))
			pids = append(pids, e.Name())
		}
	}
	if len(found) == 0 {
		return fine(name, "none")
	}
	return doubt(name, some(found), "end them, unless they have just now lost their parent:\nkill "+strings.Join(pids, " "))
}

// orphan says which child of ours the process is, if its parent is gone: then
// the machine's first process, or the user's systemd, is its parent instead.
// Processes in containers have no parent here and are not judged.
func (s sources) orphan(pid string, children []string) (child string, ok bool) {
	args := strings.Split(s.read("proc/"+pid+"/cmdline"), "\x00")
	if len(args) < 2 || !slices.Contains(children, args[1]) {
		return "", false
	}
	if space, own := s.link(pid, "ns/pid"), s.link("self", "ns/pid"); space == "" || space != own {
		return "", false
	}
	parent, ok := field(s.read("proc/"+pid+"/status"), "PPid:")
	if !ok || parent == "0" || parent != "1" && s.read("proc/"+parent+"/comm") != "systemd" {
		return "", false
	}
	// The program itself may be the first process, of a container.
	program := s.link(pid, "exe")
	return args[1], program != "" && program != s.link(parent, "exe")
}

// link is where a link of a process leads, "" where that cannot be seen. A
// program that was replaced since is still the same.
func (s sources) link(pid, name string) string {
	target, err := fs.ReadLink(s.files, "proc/"+pid+"/"+name)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(target, " (deleted)")
}

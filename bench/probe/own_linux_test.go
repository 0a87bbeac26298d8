package probe

import (
	"os"
	"testing"
)

// In its own process, the probe counts every descriptor but those that it holds
// itself, by number and by kind.
func TestOwnProcess(t *testing.T) {
	before := openHere(t)
	for name, set := range map[string]func(*proc){
		"sock_diag": func(*proc) {},
		"proc": func(p *proc) {
			if p.classifier.diag != nil {
				_ = p.classifier.diag.close()
				p.classifier.diag = nil
			}
		},
		"without sizes": func(p *proc) { p.sized = false },
	} {
		t.Run(name, func(t *testing.T) {
			src, err := openSource(Target{PID: os.Getpid()})
			if err != nil {
				t.Fatal(err)
			}
			defer src.close()
			set(src.(*proc))
			var files []*os.File
			for n := range 4 {
				count, err := src.count()
				if err != nil || count != before+n {
					t.Errorf("count %d, %v, with %d open", count, err, before+n)
				}
				if k, err := src.kinds(); err != nil || k.total() != before+n {
					t.Errorf("kinds %+v, %v, with %d open", k, err, before+n)
				}
				f, err := os.Open(os.DevNull)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, f)
			}
			for _, f := range files {
				_ = f.Close()
			}
		})
	}
}

// openHere returns the number of descriptors that are open in this process.
func openHere(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(names) - 1 // one of which is the directory
}

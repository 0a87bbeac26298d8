// Package handoff is how a command that serves metrics, such as "floodgate run", tells the
// program that started it where they are, and leaves it their final values:
//
//	export FLOODGATE_METRICS_DIR=/tmp/handoff   # by floodgate-push
//	floodgate run                               # writes 17643-4711.url when it starts, and
//	                                            # 17643-4711.final when it ends
//
// The final values are a file, so that the command waits for nobody at its end, and nothing
// is lost if it ends between two scrapes, or before the first.
package handoff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"floodgate/results/atomicfile"
)

// Variable is the name of the environment variable with the folder of the files.
const Variable = "FLOODGATE_METRICS_DIR"

// FinalPath is the path below the URL of metrics at which a request waits for the end of
// the command, and is answered with the final values.
const FinalPath = "/final"

// The extensions of the files.
const (
	urlExt   = ".url"
	finalExt = ".final"
)

// Giver writes the files of this process.
type Giver struct{ path string }

// New returns a Giver that writes to a folder; nil means that the folder is empty.
func New(dir string) *Giver {
	if dir == "" {
		return nil
	}
	// Names sort by the start of their processes.
	return &Giver{filepath.Join(dir, fmt.Sprintf("%020d-%d", time.Now().UnixNano(), os.Getpid()))}
}

// Announce writes the URL of the metrics.
func (g *Giver) Announce(url string) error { return atomicfile.Write(g.path+urlExt, []byte(url)) }

// Finish writes the final values, in Prometheus's delimited protobuf format.
func (g *Giver) Finish(values []byte) error { return atomicfile.Write(g.path+finalExt, values) }

// Source is a process that announced metrics.
type Source struct {
	// Name is unique in the folder.
	Name string
	// URL is that of the metrics.
	URL string
	// Ended reports whether the final values are there.
	Ended bool
	path  string
}

// Final returns the final values of an ended process.
func (s Source) Final() ([]byte, error) { return os.ReadFile(s.path + finalExt) }

// Sources returns the processes that announced metrics in a folder, by their start.
func Sources(dir string) ([]Source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []Source
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), urlExt)
		if !ok || strings.HasPrefix(name, ".") {
			continue // a temporary file begins with a dot
		}
		s := Source{Name: name, path: filepath.Join(dir, name)}
		url, err := os.ReadFile(s.path + urlExt)
		if err != nil {
			return nil, err
		}
		s.URL = string(url)
		if _, err := os.Stat(s.path + finalExt); err == nil {
			s.Ended = true
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found = append(found, s)
	}
	slices.SortFunc(found, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

package doctor

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"floodgate/bench/container"
)

// fakeEngine returns the configured answers.
type fakeEngine struct {
	build, available, list, remove error
	all, removed                   []container.Leftover
	asked                          []string
	closed                         bool
}

func (e *fakeEngine) Version() string       { return "Docker 1.2.3, linux/amd64" }
func (e *fakeEngine) CanBuild(string) error { return e.build }
func (e *fakeEngine) Close() error          { e.closed = true; return nil }
func (e *fakeEngine) Available(_ context.Context, image string) error {
	e.asked = append(e.asked, image)
	return e.available
}
func (e *fakeEngine) Leftovers(context.Context, string) ([]container.Leftover, error) {
	return e.all, e.list
}
func (e *fakeEngine) Remove(_ context.Context, all []container.Leftover) error {
	if e.remove == nil {
		e.removed = append(e.removed, all...)
	}
	return e.remove
}

func (e *fakeEngine) connect(context.Context) (Engine, error) { return e, nil }

func noDocker(context.Context) (Engine, error) {
	return nil, errors.New("connect to /var/run/docker.sock: no such file")
}

func notLetIn(context.Context) (Engine, error) {
	return nil, errors.New("dial unix /var/run/docker.sock: permission denied")
}

func TestEngine(t *testing.T) {
	for _, tt := range []struct {
		name    string
		connect func(context.Context) (Engine, error)
		image   string
		want    [3]Status
		words   string
	}{
		{"all there", (&fakeEngine{}).connect, DefaultImage, [3]Status{OK, OK, OK}, "mongo:8 is present or can be pulled"},
		{"none", noDocker, DefaultImage, [3]Status{Warning, Unknown, Unknown}, "--env embedded"},
		{"not let in", notLetIn, DefaultImage, [3]Status{Warning, Unknown, Unknown}, "usermod"},
		{"cannot build", (&fakeEngine{build: errors.New("no tool chain")}).connect, DefaultImage, [3]Status{OK, Warning, OK}, "no tool chain"},
		{"cannot pull", (&fakeEngine{available: errors.New("no route")}).connect, "mongo:9", [3]Status{OK, OK, Warning}, "docker save mongo:9"},
		{"need not pull", (&fakeEngine{available: errors.New("no route")}).connect, OwnImage, [3]Status{OK, OK, OK}, "made from this program"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, checks := sources{files: fstest.MapFS{}}.engine(t.Context(), Options{Connect: tt.connect, MongoImage: tt.image})
			var got [3]Status
			var text strings.Builder
			for i, c := range checks {
				got[i] = c.Status
				text.WriteString(c.Found + c.Advice)
				wellFormed(t, c)
			}
			if got != tt.want || !strings.Contains(text.String(), tt.words) {
				t.Errorf("%v, want %v: %s, want %q in it", got, tt.want, &text, tt.words)
			}
		})
	}
}

// The advice on starting an engine depends on the init system.
func TestStartEngine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Docker Desktop starts it here")
	}
	for _, tt := range []struct {
		files fstest.MapFS
		want  string
	}{
		{fstest.MapFS{}, "sudo dockerd"},
		{fstest.MapFS{"run/systemd/system/x": {}}, "sudo systemctl start docker"},
	} {
		_, checks := sources{files: tt.files}.engine(t.Context(), Options{Connect: noDocker})
		if _, command, _ := strings.Cut(checks[0].Advice, "\n"); command != tt.want {
			t.Errorf("%q, want %q", command, tt.want)
		}
	}
}

func TestLeftovers(t *testing.T) {
	used := container.Leftover{Kind: "container", Name: "run", Why: "its owner lives"}
	old := container.Leftover{Kind: "container", Name: "dead", Why: "process 5 is gone", Orphaned: true}
	expect(t, leftovers(t.Context(), nil, ""), Unknown)
	expect(t, leftovers(t.Context(), &fakeEngine{}, ""), OK, "none")
	expect(t, leftovers(t.Context(), &fakeEngine{all: []container.Leftover{used}}, ""), OK, "1 in use")
	expect(t, leftovers(t.Context(), &fakeEngine{all: []container.Leftover{used, old}}, ""), Warning, "container dead (process 5 is gone)", cleanCommand)
	expect(t, leftovers(t.Context(), &fakeEngine{list: errors.New("timed out")}, ""), Unknown, "timed out")
	many := &fakeEngine{all: slices.Repeat([]container.Leftover{old}, 5)}
	expect(t, leftovers(t.Context(), many, ""), Warning, "and 2 more")
}

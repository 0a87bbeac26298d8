package container_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"go.uber.org/goleak"

	"floodgate/bench/container"
)

// requireDocker makes tests that need an engine fail without one, instead of being
// skipped.
const requireDocker = "FLOODGATE_REQUIRE_DOCKER"

func TestMain(m *testing.M) {
	if what := os.Getenv(ownerMode); what != "" {
		os.Exit(ownerMain(what))
	}
	dir, err := os.MkdirTemp("", "floodgate-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir = dir
	code := m.Run()
	if err := errors.Join(goleak.Find(), removeImages(dir), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, "clean up:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// missing skips a test whose requirements are not met, or fails it if they must be.
func missing(t *testing.T, why any) {
	t.Helper()
	if os.Getenv(requireDocker) != "" {
		t.Fatalf("%s is set: %v", requireDocker, why)
	}
	t.Skip(why)
}

// connect connects to an engine, and checks at the end of the test that no containers are
// left.
func connect(t *testing.T) *container.Engine {
	t.Helper()
	e, err := container.Connect(t.Context())
	if err != nil {
		missing(t, err)
	}
	t.Cleanup(func() {
		if ids := containersWith(t, "floodgate.session="+e.Session()); len(ids) > 0 {
			t.Errorf("containers are left: %v", ids)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// docker returns a client that is independent of the tested code.
func docker(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// containersWith returns the IDs of all containers with a label.
func containersWith(t *testing.T, label string) (ids []string) {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.ContainerList(context.Background(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label)})
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

func inspect(t *testing.T, id string) api.InspectResponse {
	t.Helper()
	answer, err := docker(t).ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Container
}

// built holds the programs that tests compile, each once, when it is first needed.
var built struct {
	dir                string
	program, floodgate build
}

type build struct {
	once sync.Once
	err  error
}

// compile builds a static program that no other test process has, so that this process
// may remove its images. It compiles with the options of "CGO_ENABLED=0 go build", so
// that after such a build little more than linking is left.
func compile(t *testing.T, b *build, name, source string) string {
	t.Helper()
	path := filepath.Join(built.dir, name)
	b.once.Do(func() {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-buildid="+rand.Text(), "-o", path, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("build %s: %w\n%s", source, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return path
}

// program returns a small stand-in for our binary; see testdata/program.
func program(t *testing.T) string {
	t.Helper()
	return compile(t, &built.program, "program", "./testdata/program")
}

// floodgate returns the command itself.
func floodgate(t *testing.T) string {
	t.Helper()
	return compile(t, &built.floodgate, "floodgate", "floodgate/bench")
}

// image builds an image of the stand-in.
func image(t *testing.T, e *container.Engine, r container.Role) string {
	t.Helper()
	name, err := e.Build(t.Context(), r, program(t), func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func hashOf(t *testing.T, path string) string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(src))
}

// removeImages removes the images of the programs in a folder.
func removeImages(dir string) error {
	c, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer c.Close()
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		src, err := os.ReadFile(filepath.Join(dir, file.Name()))
		errs = append(errs, err)
		hash := fmt.Sprintf("%x", sha256.Sum256(src))
		list, err := c.ImageList(context.Background(), client.ImageListOptions{Filters: client.Filters{}.Add("label", "floodgate.binary="+hash)})
		if client.IsErrConnectionFailed(err) {
			return nil // without an engine there is no image
		}
		errs = append(errs, err)
		for _, i := range list.Items {
			_, err := c.ImageRemove(context.Background(), i.ID, removeForce)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// start starts a container of the stand-in, which behaves as mode says, and removes it at
// the end of the test. change may be nil.
func start(t *testing.T, e *container.Engine, mode string, change func(*container.Spec)) (*container.Running, error) {
	t.Helper()
	s := spec(t, e, mode)
	if change != nil {
		change(&s)
	}
	r, err := e.Start(t.Context(), s)
	if r != nil {
		t.Cleanup(func() {
			if err := r.Stop(0); err != nil {
				t.Error(err)
			}
		})
	}
	return r, err
}

func spec(t *testing.T, e *container.Engine, mode string) container.Spec {
	t.Helper()
	return container.Spec{
		Name: "stand-in", Image: image(t, e, container.RoleUpstream), Port: "8080/tcp", Args: []string{mode},
		Ready: answers, ReadyTimeout: time.Minute, Log: filepath.Join(t.TempDir(), "log"),
	}
}

// answers succeeds if the server answers a request for an unknown page.
func answers(ctx context.Context, a netip.AddrPort) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.String(), nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// until waits until a condition holds; a minute allows for very slow machines.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute until %s", what)
		}
	}
}

var removeForce = client.ImageRemoveOptions{Force: true, PruneChildren: true}

func removeContainer(t *testing.T, id string) {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.ContainerRemove(context.Background(), id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !cerrdefs.IsNotFound(err) {
		t.Error(err)
	}
}

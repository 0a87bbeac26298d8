package doctor

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"time"

	"floodgate/bench/container"
)

// Engine is a container engine, implemented by [container.Engine].
type Engine interface {
	// Version returns the product, its version and its platform.
	Version() string
	// CanBuild returns nil if an image can be built from the executable.
	CanBuild(executable string) error
	// Available returns nil if the image is present or its registry has it.
	Available(ctx context.Context, image string) error
	// Leftovers returns the containers and the unused images of this program.
	Leftovers(ctx context.Context, executable string) ([]container.Leftover, error)
	// Remove removes the orphaned ones of them.
	Remove(ctx context.Context, all []container.Leftover) error
	Close() error
}

// Timeouts of requests to the engine.
const (
	connectTimeout  = 5 * time.Second
	registryTimeout = 5 * time.Second
	listTimeout     = 10 * time.Second
)

const noEngine = "no container engine answers"

// engine checks whether the containers environment can be used, which a run does not
// require. It returns a nil Engine if none answers.
func (s sources) engine(ctx context.Context, o Options) (Engine, []Check) {
	const name, build, pull = "docker", "docker build", "docker image"
	e, err := connect(ctx, o)
	if err != nil {
		return nil, []Check{
			warning(name, err.Error(), s.startEngine(err)),
			unknown(build, noEngine, "see "+name),
			unknown(pull, noEngine, "see "+name),
		}
	}
	return e, []Check{passed(name, e.Version()), canBuild(e, build, o.Executable), canPull(ctx, e, pull, o.MongoImage)}
}

func (s sources) startEngine(err error) string {
	const needless = "only containers need an engine: without one, runs use --env embedded; "
	if strings.Contains(err.Error(), "permission denied") {
		return needless + "to get access (which is equivalent to root access), run this and log in again:\nsudo usermod -aG docker $USER"
	}
	if runtime.GOOS != "linux" {
		return needless + "to get one, start Docker Desktop"
	}
	if _, err := fs.Stat(s.files, "run/systemd/system"); err != nil {
		return needless + "to start one without systemd:\nsudo dockerd"
	}
	return needless + "to start one:\nsudo systemctl start docker"
}

func connect(ctx context.Context, o Options) (Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return o.Connect(ctx)
}

func canBuild(e Engine, name, executable string) Check {
	if err := e.CanBuild(executable); err != nil {
		return warning(name, err.Error(), "build the program statically and run the result, or avoid containers with --env embedded:\nCGO_ENABLED=0 go build -o floodgate ./bench")
	}
	return passed(name, "an image can be made from this program")
}

func canPull(ctx context.Context, e Engine, name, image string) Check {
	if image == OwnImage {
		return passed(name, "the database's image is made from this program, too")
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	if err := e.Available(ctx, image); err != nil {
		return warning(name, fmt.Sprintf("%s: %v", image, err), fmt.Sprintf("use the built-in database in a container (--mongo-image %s), or copy the image from a machine that has it:\ndocker save %s | gzip > image.tar.gz\ndocker load -i image.tar.gz", OwnImage, image))
	}
	return passed(name, image+" is present or can be pulled")
}

// toolchain checks the Go toolchain, which is needed only to build images if this program is
// not a static Linux binary.
func (s sources) toolchain(executable string) Check {
	const name = "go toolchain"
	static := s.static(executable)
	version, path, err := s.goVersion()
	switch {
	case err == nil:
		return passed(name, strings.TrimSpace(version)+" at "+path)
	case static == nil:
		return passed(name, "none, but it is not needed: images are made from this program, which is static")
	}
	return warning(name, fmt.Sprintf("none, and images cannot be made from this program: %v", static),
		"install Go (https://go.dev/dl), or build the program statically on a machine that has it; runs with --env embedded need neither:\nCGO_ENABLED=0 go build -o floodgate ./bench")
}

// static returns nil for a Linux program that needs no loader.
func static(executable string) error {
	f, err := elf.Open(executable)
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return err
	}
	if err != nil {
		return fmt.Errorf("it is not a Linux program: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is dynamically linked to libraries of this system")
		}
	}
	return nil
}

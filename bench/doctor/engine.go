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

// Engine is a container engine that answers: a [container.Engine].
type Engine interface {
	// Version names the product, its version and its platform.
	Version() string
	// CanBuild is nil where an image can be made of the program.
	CanBuild(executable string) error
	// Available is nil where the image is there or its registry has it.
	Available(ctx context.Context, image string) error
	// Leftovers are all containers of ours, and the images that are of no use.
	Leftovers(ctx context.Context, executable string) ([]container.Leftover, error)
	// Remove removes those of them that are orphaned.
	Remove(ctx context.Context, all []container.Leftover) error
	Close() error
}

// Bounds of what is asked of the engine.
const (
	connectTimeout  = 5 * time.Second
	registryTimeout = 5 * time.Second
	listTimeout     = 10 * time.Second
)

const noEngine = "no container engine answers"

// engine reports whether the containers environment can be used; its absence
// keeps no run from starting. The engine is nil where none answers.
func (s sources) engine(ctx context.Context, o Options) (Engine, []Check) {
	const name, build, pull = "docker", "docker build", "docker image"
	e, err := connect(ctx, o)
	if err != nil {
		return nil, []Check{
			doubt(name, err.Error(), s.startEngine(err)),
			unseen(build, noEngine, "see "+name),
			unseen(pull, noEngine, "see "+name),
		}
	}
	return e, []Check{fine(name, e.Version()), canBuild(e, build, o.Executable), canPull(ctx, e, pull, o.MongoImage)}
}

func (s sources) startEngine(err error) string {
	const needless = "only containers need one: without it runs use --env embedded, which needs none; "
	if strings.Contains(err.Error(), "permission denied") {
		return needless + "to be let in (which makes you as good as root), and log in again:\nsudo usermod -aG docker $USER"
	}
	if runtime.GOOS != "linux" {
		return needless + "to have one, start Docker Desktop"
	}
	if _, err := fs.Stat(s.files, "run/systemd/system"); err != nil {
		return needless + "to start one, where there is no systemd:\nsudo dockerd"
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
		return doubt(name, err.Error(), "build the program statically, and run that (without containers: --env embedded):\nCGO_ENABLED=0 go build -o floodgate ./bench")
	}
	return fine(name, "an image can be made of this program")
}

func canPull(ctx context.Context, e Engine, name, image string) Check {
	if image == OwnImage {
		return fine(name, "the database's image is made of this program, too")
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	if err := e.Available(ctx, image); err != nil {
		return doubt(name, fmt.Sprintf("%s: %v", image, err), fmt.Sprintf("use our own database in a container (--mongo-image %s), or bring the image from a machine that has it:\ndocker save %s | gzip > image.tar.gz\ndocker load -i image.tar.gz", OwnImage, image))
	}
	return fine(name, image+" is here or can be pulled")
}

// toolchain is needed only where an image is made and this program is not a
// static one of Linux.
func (s sources) toolchain(executable string) Check {
	const name = "go tool chain"
	static := s.static(executable)
	version, path, err := s.goVersion()
	switch {
	case err == nil:
		return fine(name, strings.TrimSpace(version)+" at "+path)
	case static == nil:
		return fine(name, "none, nor needed: images are made of this program, which is static")
	}
	return doubt(name, fmt.Sprintf("none, and images cannot be made of this program: %v", static),
		"install Go (https://go.dev/dl), or build the program statically on a machine that has it; embedded runs need neither:\nCGO_ENABLED=0 go build -o floodgate ./bench")
}

// static is nil for a program of Linux that needs no loader.
func static(executable string) error {
	f, err := elf.Open(executable)
	var unreadable *fs.PathError
	if errors.As(err, &unreadable) {
		return err
	}
	if err != nil {
		return fmt.Errorf("it is not a program of Linux: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked to the libraries of this system")
		}
	}
	return nil
}

package doctor

import (
	"context"
	"fmt"
	"time"
)

// Leftover is a container or an image of ours.
type Leftover struct {
	Kind, Name, ID string
	// Why says how it is known to be ours, and what became of its owner.
	Why string
	// Orphaned: nobody uses it any more, it can be removed.
	Orphaned bool
}

// Engine is a container engine that answers.
type Engine interface {
	// Version names the product, its version and its platform.
	Version() string
	// CanBuild is nil where an image can be made of the program.
	CanBuild(executable string) error
	// Available is nil where the image is there or its registry has it.
	Available(ctx context.Context, image string) error
	// Leftovers are all containers and images of ours.
	Leftovers(ctx context.Context) ([]Leftover, error)
	// Remove removes them.
	Remove(ctx context.Context, all []Leftover) error
	Close() error
}

// Bounds of what is asked of the engine.
const (
	connectTimeout  = 5 * time.Second
	registryTimeout = 5 * time.Second
	listTimeout     = 10 * time.Second
)

const noEngine = "no container engine answers"

// engine says whether the containers environment can be used; its absence
// keeps no run from starting. The engine is nil where none answers.
func (s sources) engine(ctx context.Context, o Options) (Engine, []Check) {
	const name, build = "docker", "docker build"
	pull := "docker image"
	e, err := connect(ctx, o)
	if err != nil {
		return nil, []Check{
			doubt(name, err.Error(), "only containers need one: without it runs use --env embedded, which needs none; to start one:\nsudo systemctl start docker"),
			unseen(build, noEngine, "see "+name),
			unseen(pull, noEngine, "see "+name),
		}
	}
	return e, []Check{fine(name, e.Version()), canBuild(e, build, o.Executable), canPull(ctx, e, pull, o.MongoImage)}
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

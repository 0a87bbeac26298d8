package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"floodgate/bench/container"
	"floodgate/bench/environment"
)

// EnvironmentVariable selects the environment of [Start]: "embedded" (the default) or
// "containers", which needs a Docker engine and, as an image is made of the test
// binary, CGO_ENABLED=0. It is the same for all benchmarks of a process, so that
// their results say where they were measured.
const EnvironmentVariable = "FLOODGATE_ENV"

// MongoImageVariable names the image of MongoDB in containers. Default:
// [environment.DefaultMongoImage].
const MongoImageVariable = "FLOODGATE_MONGO_IMAGE"

func kindOf(value string) (string, error) {
	switch value {
	case "", environment.Embedded:
		return environment.Embedded, nil
	case environment.Containers:
		return value, nil
	}
	return "", fmt.Errorf("unknown environment %q in %s (want %s or %s)", value, EnvironmentVariable, environment.Embedded, environment.Containers)
}

// Start starts a mock upstream and an empty MongoDB, which end with the benchmark or
// test, and when this process dies in whatever way. Start it in a benchmark for all
// its sub-benchmarks: it takes about a second.
//
// The upstream answers at once until [environment.Environment.ConfigureUpstream] sets
// its profile. Where a server cannot be started or ends during the benchmark, or the
// test binary does not call [Main], the benchmark fails.
func Start(tb testing.TB) *environment.Environment {
	tb.Helper()
	if os.Getenv(mainVariable) != self() {
		tb.Fatal("harness: Start needs Main, because its servers are processes that run this test binary again: " +
			"add func TestMain(m *testing.M) { harness.Main(m) } to the package")
	}
	ctx := context.Background() // that of tb ends before its servers are closed
	o, err := options(ctx)
	if err != nil {
		tb.Fatalf("harness: %v", err)
	}
	env, err := environment.Start(ctx, o)
	if err != nil {
		tb.Fatalf("harness: %v", errors.Join(err, disconnect(o)))
	}
	_, ended := env.Watch(ctx)
	tb.Cleanup(func() {
		for _, end := range ended() {
			tb.Errorf("harness: a server ended, so that the measurement does not count: %s", end)
		}
		if err := errors.Join(env.Close(), disconnect(o)); err != nil {
			tb.Errorf("harness: %v", err)
		}
	})
	return env
}

// options returns those of the environment that the variables select.
func options(ctx context.Context) (o environment.Options, err error) {
	if o.Kind, err = kindOf(os.Getenv(EnvironmentVariable)); err != nil || o.Kind != environment.Containers {
		return o, err
	}
	o.MongoImage = os.Getenv(MongoImageVariable)
	if o.Engine, err = container.Connect(ctx); err != nil {
		return o, err
	}
	if _, err := o.Engine.Sweep(ctx); err != nil {
		return o, errors.Join(fmt.Errorf("remove the leftovers of an earlier run: %w", err), disconnect(o))
	}
	return o, nil
}

// disconnect disconnects from the container engine.
func disconnect(o environment.Options) error {
	if o.Engine == nil {
		return nil
	}
	return o.Engine.Close()
}

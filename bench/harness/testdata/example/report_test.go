package callreport

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment"
	"floodgate/bench/harness"
	"floodgate/mockupstream"
	"floodgate/scenarios/pipeline"
)

func TestMain(m *testing.M) { harness.Main(m) }

// start starts the servers for the life of a benchmark: an upstream that takes 5 ms,
// and an empty MongoDB.
func start(b *testing.B) *environment.Environment {
	b.Helper()
	env := harness.Start(b)
	profile := mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "constant", Value: mockupstream.Duration(5 * time.Millisecond)}}
	if err := env.ConfigureUpstream(b.Context(), profile, 2017); err != nil {
		b.Fatal(err)
	}
	return env
}

// newReporter returns a Reporter with connections of its own, so that peak-fds does not
// depend on the benchmarks before.
func newReporter(b *testing.B, env *environment.Environment) *Reporter {
	b.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(env.MongoURI()).SetMaxPoolSize(10))
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = client.Disconnect(context.Background())
	})
	return &Reporter{&http.Client{Transport: transport}, env.UpstreamURL(), client.Database("report").Collection("calls")}
}

// phones are the items of a batch.
func phones() []string {
	phones := make([]string, 20)
	for i := range phones {
		phones[i] = fmt.Sprintf("+1555%04d", i)
	}
	return phones
}

// BenchmarkReport measures any function, with a limit of the harness.
func BenchmarkReport(b *testing.B) {
	env := start(b)
	for _, limit := range []int{1, 10} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			harness.Run(b, phones(), newReporter(b, env).Report, harness.Limit(limit))
		})
	}
}

// BenchmarkPipeline measures a pipeline, whose strategy has the limits.
func BenchmarkPipeline(b *testing.B) {
	r := newReporter(b, start(b))
	p := &pipeline.Pipeline[string, Document]{
		Fetcher: pipeline.FetcherFunc[string, Document](func(ctx context.Context, phone string) ([]Document, error) {
			doc, err := r.Fetch(ctx, phone)
			return []Document{doc}, err
		}),
		Writer: pipeline.WriterFunc[Document](func(ctx context.Context, docs []Document) error {
			return r.Store(ctx, docs[0])
		}),
		Strategy: pipeline.Staged(10, 4, 10),
	}
	harness.Pipeline(b, p, phones())
}

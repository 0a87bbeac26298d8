package environment_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment"
	"floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/target"
	"floodgate/mockupstream"
	"floodgate/scenarios"
)

// theirs starts a database in the role of the user's own, with one document.
func theirs(t *testing.T) (*driver.Client, string) {
	t.Helper()
	s, err := embedmongo.Serve(context.Background(), embedmongo.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	client, err := driver.Connect(options.Client().ApplyURI(s.URI()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	if _, err := client.Database("precious").Collection("orders").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	return client, s.URI()
}

func parseMongo(t *testing.T, uri string) *target.Mongo {
	t.Helper()
	m, err := target.ParseMongo(uri)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func databases(t *testing.T, client *driver.Client) []string {
	t.Helper()
	names, err := client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return n == "admin" || n == "local" || n == "config" })
}

// write prepares a collection in the run's database and writes to it.
func write(t *testing.T, e *environment.Environment, database string) {
	t.Helper()
	if err := e.Prepare(t.Context(), database, "calls"); err != nil {
		t.Fatal(err)
	}
	client, err := driver.Connect(options.Client().ApplyURI(e.MongoURI()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if _, err := client.Database(database).Collection("calls").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "a"}}); err != nil {
		t.Fatal(err)
	}
}

func TestExternalDatabaseIsDropped(t *testing.T) {
	client, uri := theirs(t)
	for _, link := range []bool{false, true} {
		e := start(t, environment.Options{
			Kind: environment.External, Mongo: parseMongo(t, uri), Database: "floodgate_x", Link: link,
		})
		if err := e.ConfigureDatabase(t.Context(), scenarios.Database{}, 1); err != nil {
			t.Fatal(err)
		}
		write(t, e, "floodgate_x")
		if got := databases(t, client); !slices.Equal(got, []string{"floodgate_x", "precious"}) {
			t.Errorf("in the run there are databases %q", got)
		}
		if direct := strings.HasPrefix(uri, "mongodb://"+e.MongoAddrs()[0].String()); direct == link {
			t.Errorf("the SUT connects to %v, a proxy is required: %v", e.MongoAddrs(), link)
		}
		d := e.Describe()
		if d.Kind != "external" || !strings.Contains(d.Database, "FerretDB") || !strings.HasSuffix(d.Upstream, "embedded") {
			t.Errorf("described as %+v", d)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if got := databases(t, client); !slices.Equal(got, []string{"precious"}) {
			t.Errorf("after Close there are databases %q", got)
		}
	}
}

func TestExternalRefusesAnExistingDatabase(t *testing.T) {
	client, uri := theirs(t)
	o := environment.Options{Kind: environment.External, Mongo: parseMongo(t, uri), Database: "precious"}
	if _, err := environment.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "database precious already exists") {
		t.Errorf("error %v, want that the database is there", err)
	}
	if got := databases(t, client); !slices.Equal(got, []string{"precious"}) {
		t.Errorf("there are databases %q", got)
	}
}

func TestExternalIsNotRestarted(t *testing.T) {
	t.Parallel()
	s, err := embedmongo.Serve(context.Background(), embedmongo.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := environment.Start(t.Context(), environment.Options{Kind: environment.External, Mongo: parseMongo(t, s.URI()), Database: "floodgate_x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e.AnswerWithin(100 * time.Millisecond) // no timeout would be long enough
	if died, err := e.Ensure(t.Context()); err == nil {
		t.Errorf("Ensure: %q, no error, though the user's database is gone", died)
	}
	if err := e.Close(); err == nil || !strings.Contains(err.Error(), "could not drop database floodgate_x") {
		t.Errorf("Close: %v, want the written documents to stay", err)
	}
}

func TestExternalUpstream(t *testing.T) {
	requests := 0
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		http.NotFound(w, r)
	}))
	defer foreign.Close()
	u, err := target.ParseUpstream(foreign.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, environment.Options{Kind: environment.External, Upstream: u})
	if e.Mock() || e.UpstreamURL() != foreign.URL {
		t.Errorf("upstream %s is taken for a mock: %v", e.UpstreamURL(), e.Mock())
	}
	before := requests
	if err := e.ConfigureUpstream(t.Context(), mockupstream.Profile{}, 1); err != nil || requests != before {
		t.Errorf("a foreign upstream was sent a profile: %d requests, %v", requests-before, err)
	}
	if died, err := e.Ensure(t.Context()); len(died) > 0 || err != nil || requests != before {
		t.Errorf("Ensure: %q, %v, %d requests", died, err, requests-before)
	}
}

func TestExternalRefusesOtherMachines(t *testing.T) {
	for name, o := range map[string]environment.Options{
		"database": {Mongo: parseMongo(t, "mongodb://203.0.113.5/"), Database: "floodgate_x"},
		"upstream": {Upstream: func() *target.Upstream { u, _ := target.ParseUpstream("http://203.0.113.5"); return u }()},
	} {
		o.Kind = environment.External
		_, err := environment.Start(t.Context(), o)
		var refused *target.RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "--allow-target 203.0.113.5") {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

// externalHarness is the argument with which the test binary is a harness that writes to
// the database named by its second argument, until it is killed.
const externalHarness = "environment-external-harness"

func holdExternal() int {
	m, err := target.ParseMongo(os.Args[2])
	if err != nil {
		return 1
	}
	e, err := environment.Start(context.Background(), environment.Options{Kind: environment.External, Mongo: m, Database: "floodgate_x"})
	if err != nil {
		return 1
	}
	if err := e.Prepare(context.Background(), "floodgate_x", "calls"); err != nil {
		return 1
	}
	os.Stdout.WriteString("ready\n")
	select {}
}

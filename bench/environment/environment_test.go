package environment_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"floodgate/bench/environment"
	"floodgate/mockupstream"
	"floodgate/scenarios"
)

// TestMain runs the test binary as a child of an environment, or as a harness that starts
// one, if its arguments say so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		for _, name := range environment.Children() {
			if os.Args[1] == name {
				os.Exit(environment.RunChild(name, os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
			}
		}
		switch os.Args[1] {
		case harnessCommand:
			os.Exit(harness())
		case externalHarness:
			os.Exit(holdExternal())
		}
	}
	goleak.VerifyTestMain(m)
}

// harnessCommand is the argument with which the test binary starts an environment and
// keeps it until it is killed.
const harnessCommand = "environment-harness"

func harness() int {
	e, err := environment.Start(context.Background(), environment.Options{Link: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_ = json.NewEncoder(os.Stdout).Encode(e.PIDs())
	select {} // until killed
}

// start starts an environment whose temporary files are in a folder of the test.
func start(t *testing.T, o environment.Options) *environment.Environment {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	e, err := environment.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if left := temporary(t); len(left) != 0 {
			t.Errorf("Close left %q", left)
		}
	})
	return e
}

// temporary lists the temporary folders.
func temporary(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// use fetches an item and writes it, as a SUT would.
func use(t *testing.T, e *environment.Environment, id string) error {
	t.Helper()
	return useWithin(t, e, id, 20*time.Second)
}

// useWithin is use with a timeout for finding the database.
func useWithin(t *testing.T, e *environment.Environment, id string, selection time.Duration) error {
	t.Helper()
	resp, err := http.Get(e.UpstreamURL() + "/items/" + id)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	client, err := driver.Connect(options.Client().ApplyURI(e.MongoURI()).SetServerSelectionTimeout(selection))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	_, err = client.Database("test").Collection("calls").ReplaceOne(t.Context(), bson.D{{Key: "_id", Value: id}},
		bson.D{{Key: "_id", Value: id}, {Key: "body", Value: body}}, options.Replace().SetUpsert(true))
	return err
}

func documents(t *testing.T, e *environment.Environment) []string {
	t.Helper()
	var found []string
	err := e.Documents(t.Context(), "test", "calls", func(raw bson.Raw) error {
		found = append(found, raw.Lookup("_id").StringValue())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func configure(t *testing.T, e *environment.Environment) {
	t.Helper()
	if err := e.ConfigureUpstream(t.Context(), mockupstream.Profile{}, 7); err != nil {
		t.Fatal(err)
	}
}

func TestEnvironment(t *testing.T) {
	e := start(t, environment.Options{})
	configure(t, e)
	if err := e.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "a"} {
		if err := use(t, e, id); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := e.UpstreamStats(t.Context())
	if err != nil || stats.Requests != 3 || stats.Repeated != 1 || stats.Seed != 7 {
		t.Errorf("upstream saw %+v, %v, want 3 requests, 1 repeated", stats, err)
	}
	if found := documents(t, e); len(found) != 2 {
		t.Errorf("documents %q, want a and b", found)
	}
	if err := e.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	if found := documents(t, e); len(found) != 0 {
		t.Errorf("Prepare left %q", found)
	}
	if err := e.DropCollection(t.Context(), "test", "never made"); err != nil {
		t.Error(err)
	}
	d := e.Describe()
	if d.Kind != "embedded" || !strings.Contains(d.Database, "FerretDB") || d.Upstream == "" {
		t.Errorf("description %+v", d)
	}
	if died, err := e.Ensure(t.Context()); len(died) != 0 || err != nil || len(e.Died()) != 0 {
		t.Errorf("all live, but died %q, %v", died, err)
	}
	if err := e.ConfigureDatabase(t.Context(), scenarios.Database{Latency: scenarios.Duration(time.Second)}, 1); err == nil {
		t.Error("latency set without a proxy")
	}
	if err := e.ConfigureDatabase(t.Context(), scenarios.Database{}, 1); err != nil {
		t.Error(err)
	}
}

func TestConfigureRefusesNonsense(t *testing.T) {
	e := start(t, environment.Options{})
	err := e.ConfigureUpstream(t.Context(), mockupstream.Profile{Latency: mockupstream.Distribution{Kind: "gaussian"}}, 1)
	if err == nil || !strings.Contains(err.Error(), "latency") {
		t.Errorf("error %v, want one that names the field", err)
	}
}

func TestDatabaseLatency(t *testing.T) {
	e := start(t, environment.Options{Link: true})
	configure(t, e)
	const latency = 50 * time.Millisecond
	if err := e.ConfigureDatabase(t.Context(), scenarios.Database{Latency: scenarios.Duration(latency)}, 1); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := use(t, e, "a"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < latency {
		t.Errorf("write took %v, less than the latency", took)
	}
	if found := documents(t, e); len(found) != 1 {
		t.Errorf("documents %q", found)
	}
}

func TestKeepData(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []int{0, 1} {
		e := start(t, environment.Options{LogDir: dir, KeepData: true})
		if found := documents(t, e); len(found) != want {
			t.Errorf("documents %q, want %d", found, want)
		}
		if err := use(t, e, "a"); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := environment.Start(t.Context(), environment.Options{KeepData: true}); err == nil {
		t.Error("data kept in a folder that is removed")
	}
}

package calllog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/FerretDB/FerretDB/ferretdb"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/scenarios/pipeline"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

// startDatabase serves an empty database until the test ends.
func startDatabase(t *testing.T) (uri string) {
	t.Helper()
	db, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{TCP: "127.0.0.1:0"},
		Handler:  "sqlite", SQLiteURL: "file:" + t.TempDir() + "/",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- db.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("database: %v", err)
		}
	})
	return db.MongoDBURI()
}

// newWriter returns a writer of the collection report.calls, closed at the end of the test.
func newWriter(t *testing.T, o calllog.MongoOptions) *calllog.MongoWriter {
	t.Helper()
	o.Database, o.Collection = "report", "calls"
	w, err := calllog.NewMongoWriter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := w.Close(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// collection returns the writer's collection, read by another client.
func collection(t *testing.T, uri string) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database("report").Collection("calls")
}

func stored(t *testing.T, c *mongo.Collection) map[string]calllog.Document {
	t.Helper()
	cursor, err := c.Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var all []calllog.Document
	if err := cursor.All(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]calllog.Document)
	for _, d := range all {
		byID[d.ID] = d
	}
	if len(byID) != len(all) {
		t.Errorf("%d documents, %d ids", len(all), len(byID))
	}
	return byID
}

func documents(n, seconds int) []calllog.Document {
	docs := make([]calllog.Document, n)
	for i := range docs {
		docs[i] = calllog.Document{
			ID: fmt.Sprintf("+1#%d", i), Item: "+1", Seq: i, Records: []calllog.Record{{ID: "r", Seconds: seconds}},
		}
	}
	return docs
}

func TestWritesAreIdempotent(t *testing.T) {
	uri := startDatabase(t)
	w, c := newWriter(t, calllog.MongoOptions{URI: uri}), collection(t, uri)
	for round, seconds := range []int{1, 1, 2} {
		docs := documents(30, seconds)
		if err := w.Write(t.Context(), docs[:29]); err != nil { // a bulk
			t.Fatal(err)
		}
		if err := w.Write(t.Context(), docs[29:]); err != nil { // one
			t.Fatal(err)
		}
		got := stored(t, c)
		if len(got) != 30 {
			t.Errorf("round %d: %d documents, want 30", round, len(got))
		}
		for _, want := range docs {
			if d := got[want.ID]; fmt.Sprint(d) != fmt.Sprint(want) {
				t.Errorf("round %d: stored %v, want %v", round, d, want)
			}
		}
	}
}

// A missing document never counts as written, whatever the error of its bulk.
func TestFailedDocumentsAreNotTakenForWritten(t *testing.T) {
	uri := startDatabase(t)
	w, c := newWriter(t, calllog.MongoOptions{URI: uri}), collection(t, uri)
	_, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{
		Keys: bson.D{{Key: "seq", Value: 1}}, Options: options.Index().SetUnique(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	docs := documents(6, 1)
	docs[2].Seq, docs[4].Seq = 0, 1 // taken by 0 and 1
	err = w.Write(t.Context(), docs)
	if kind := pipeline.ErrorType(err); kind != "mongo_write" {
		t.Fatalf("%v of type %s", err, kind)
	}
	var partial *pipeline.PartialError
	written := stored(t, c)
	for i, d := range docs {
		failed := !errors.As(err, &partial) || partial.Failed[i] != nil
		if _, there := written[d.ID]; !there && !failed {
			t.Errorf("document %d is missing and no failure", i)
		}
	}
	if len(written) < 2 || len(written) > 4 {
		t.Errorf("%d documents were stored", len(written))
	}
	if err := w.Write(t.Context(), docs[2:3]); pipeline.ErrorType(err) != "mongo_write" {
		t.Errorf("one alone: %v of type %s", err, pipeline.ErrorType(err))
	}
}

// 40 concurrent writes through a pool of 3 use 3 connections and the monitor's.
func TestPoolSizeBoundsConnections(t *testing.T) {
	dialer := new(dialcount.Counter)
	w := newWriter(t, calllog.MongoOptions{URI: startDatabase(t), MaxPoolSize: 3, Dialer: dialer})
	var wg sync.WaitGroup
	for _, d := range documents(40, 1) {
		wg.Go(func() {
			if err := w.Write(t.Context(), []calllog.Document{d}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pool := w.Pool()
	if pool.Peak > 3 || pool.PeakInUse > 3 || pool.InUse != 0 || pool.Waiting != 0 || pool.Idle < 1 {
		t.Errorf("pool: %+v", pool)
	}
	if got := dialer.Counts(); got.Peak > 3+1 || got.Failed > 0 {
		t.Errorf("dialer: %+v", got)
	}
}

// gate is a dialer whose connections send nothing while it is closed.
type gate struct{ shut sync.RWMutex }

type gated struct {
	net.Conn
	gate *gate
}

func (g gated) Write(b []byte) (int, error) {
	g.gate.shut.RLock()
	defer g.gate.shut.RUnlock()
	return g.Conn.Write(b)
}

func (g *gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return gated{conn, g}, err
}

// waits is an observer of the wait for the pool.
type waits struct {
	mu   sync.Mutex
	seen []pipeline.Timing
}

func (w *waits) Item(_ int, t pipeline.Timing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, t)
}

// waitFor waits until a state is reached.
func waitFor(reached func() bool) {
	for !reached() {
		runtime.Gosched()
	}
}

// While one write has the only connection, another waits, and its wait is recorded
// separately from its write.
func TestPoolWait(t *testing.T) {
	g := new(gate)
	w := newWriter(t, calllog.MongoOptions{
		URI: startDatabase(t), MaxPoolSize: 1, Dialer: &dialcount.Counter{Dial: g.dial},
	})
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := new(waits)
	p := pipeline.Pipeline[int, calllog.Document]{
		Fetcher: pipeline.FetcherFunc[int, calllog.Document](func(_ context.Context, n int) ([]calllog.Document, error) {
			return documents(n+1, 1)[n:], nil
		}),
		Writer: w, Strategy: pipeline.Bounded(2), Observer: seen,
	}
	var least time.Duration
	g.shut.Lock()
	go func() {
		waitFor(func() bool { return w.Pool().InUse == 1 && w.Pool().Waiting == 1 })
		begin := time.Now()
		time.Sleep(5 * time.Millisecond) // makes the wait measurable
		least = time.Since(begin)
		g.shut.Unlock()
	}()
	if _, err := p.Run(t.Context(), []int{0, 1}); err != nil {
		t.Fatal(err)
	}
	first, second := seen.seen[0], seen.seen[1]
	if second.PoolWait < least || first.Write < least {
		t.Errorf("shut for %v: the first waited %v and wrote %v, the second %v and %v",
			least, first.PoolWait, first.Write, second.PoolWait, second.Write)
	}
}

func TestPoolTimeout(t *testing.T) {
	g := new(gate)
	w := newWriter(t, calllog.MongoOptions{
		URI: startDatabase(t), MaxPoolSize: 1, Timeout: 300 * time.Millisecond, Dialer: &dialcount.Counter{Dial: g.dial},
	})
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.shut.Lock()
	held := make(chan error)
	go func() { held <- w.Write(t.Context(), documents(1, 1)) }()
	waitFor(func() bool { return w.Pool().InUse == 1 })
	err := w.Write(t.Context(), documents(1, 1))
	if kind := pipeline.ErrorType(err); kind != "mongo_pool_timeout" {
		t.Errorf("%v of type %s", err, kind)
	}
	g.shut.Unlock()
	<-held // done or timed out
}

func TestConnectionErrorsOfTheDatabase(t *testing.T) {
	fail := func(err error) *dialcount.Counter {
		return &dialcount.Counter{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	dial := func(errno syscall.Errno) error { return &net.OpError{Op: "dial", Net: "tcp", Err: errno} }
	for want, dialer := range map[string]*dialcount.Counter{
		"emfile":                 fail(dial(syscall.EMFILE)),
		"ports":                  fail(dial(syscall.EADDRNOTAVAIL)),
		"refused":                fail(dial(syscall.ECONNREFUSED)),
		"mongo_server_selection": fail(errors.New("no route")),
	} {
		w := newWriter(t, calllog.MongoOptions{
			URI: "mongodb://127.0.0.1:1/", SelectionTimeout: 50 * time.Millisecond, Dialer: dialer,
		})
		if err := w.Write(t.Context(), documents(2, 1)); pipeline.ErrorType(err) != want {
			t.Errorf("%v of type %s, want %s", err, pipeline.ErrorType(err), want)
		}
		if err := w.Ping(t.Context()); strings.Contains(err.Error(), "no local port is free") != (want == "ports") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// If descriptors run out after the server is known, the write fails at once.
func TestPoolThatCannotConnect(t *testing.T) {
	var broken bool
	var mu sync.Mutex
	dialer := &dialcount.Counter{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EMFILE}
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	w := newWriter(t, calllog.MongoOptions{URI: startDatabase(t), Dialer: dialer, SelectionTimeout: time.Second})
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	broken = true
	mu.Unlock()
	var wg sync.WaitGroup
	kinds := make(chan string, 20)
	for _, d := range documents(20, 1) {
		wg.Go(func() {
			if err := w.Write(t.Context(), []calllog.Document{d}); err != nil {
				kinds <- pipeline.ErrorType(err)
			}
		})
	}
	wg.Wait()
	close(kinds)
	for kind := range kinds {
		if kind != "emfile" {
			t.Errorf("type %s", kind)
		}
	}
}

func TestClosedWriter(t *testing.T) {
	w := newWriter(t, calllog.MongoOptions{URI: startDatabase(t)})
	if err := w.Write(t.Context(), documents(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(t.Context(), documents(1, 1)); pipeline.ErrorType(err) != "mongo_disconnected" {
		t.Errorf("%v of type %s", err, pipeline.ErrorType(err))
	}
	if pool := w.Pool(); pool.InUse+pool.Idle+pool.Connecting != 0 {
		t.Errorf("pool after close: %+v", pool)
	}
}

func TestBadMongoOptions(t *testing.T) {
	ok := calllog.MongoOptions{URI: "mongodb://127.0.0.1:1/", Database: "d", Collection: "c"}
	for name, change := range map[string]func(*calllog.MongoOptions){
		"uri":        func(o *calllog.MongoOptions) { o.URI = "http://127.0.0.1" },
		"database":   func(o *calllog.MongoOptions) { o.Database = "" },
		"collection": func(o *calllog.MongoOptions) { o.Collection = "" },
		"pool":       func(o *calllog.MongoOptions) { o.MaxPoolSize = -1 },
		"timeout":    func(o *calllog.MongoOptions) { o.Timeout = -1 },
	} {
		o := ok
		change(&o)
		if _, err := calllog.NewMongoWriter(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

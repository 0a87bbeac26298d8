package embedmongo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"go.uber.org/goleak"

	"floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/scratch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server with a data folder of the test, and returns a client of it.
func serve(t testing.TB, opts embedmongo.Options, pool uint64) (*embedmongo.Server, *driver.Database) {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := embedmongo.Serve(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, connect(t, s.URI(), pool).Database("test")
}

func connect(t testing.TB, uri string, pool uint64) *driver.Client {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(uri).SetMaxPoolSize(pool).SetMaxConnecting(20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(context.Background()) })
	return c
}

// replacement returns the model of an upsert by _id.
func replacement(id string, value int) *driver.ReplaceOneModel {
	return driver.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: id}}).
		SetReplacement(bson.D{{Key: "_id", Value: id}, {Key: "value", Value: value}}).SetUpsert(true)
}

func upsert(c *driver.Collection, id string, value int) error {
	_, err := c.ReplaceOne(context.Background(), bson.D{{Key: "_id", Value: id}},
		bson.D{{Key: "_id", Value: id}, {Key: "value", Value: value}}, options.Replace().SetUpsert(true))
	return err
}

// ids returns the number of documents of each _id.
func ids(t testing.TB, c *driver.Collection) map[string]int {
	t.Helper()
	cursor, err := c.Find(context.Background(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(context.Background(), &docs); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, d := range docs {
		found[d.ID]++
	}
	return found
}

// each calls f for 0 ≤ i < n from several goroutines, and joins the errors.
func each(n, goroutines int, f func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// plan returns SQLite's query plan for finding a document by _id.
func plan(t testing.TB, c *driver.Collection) string {
	t.Helper()
	var out struct {
		QueryPlanner struct {
			Plan []string `bson:"Plan"`
		} `bson:"queryPlanner"`
	}
	err := c.Database().RunCommand(context.Background(), bson.D{{Key: "explain", Value: bson.D{
		{Key: "find", Value: c.Name()}, {Key: "filter", Value: bson.D{{Key: "_id", Value: "x"}}},
	}}}).Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out.QueryPlanner.Plan, "; ")
}

func TestEveryNewCollectionHasTheIndex(t *testing.T) {
	_, db := serve(t, embedmongo.Options{}, 20)
	ctx := context.Background()
	create := map[string]func(name string) error{
		"upsert": func(name string) error { return upsert(db.Collection(name), "x", 1) },
		"create": func(name string) error { return db.CreateCollection(ctx, name) },
		"insert": func(name string) error {
			_, err := db.Collection(name).InsertOne(ctx, bson.D{{Key: "_id", Value: "x"}})
			return err
		},
		"index": func(name string) error {
			_, err := db.Collection(name).Indexes().CreateOne(ctx, driver.IndexModel{Keys: bson.D{{Key: "a", Value: 1}}})
			return err
		},
		"capped": func(name string) error {
			return db.CreateCollection(ctx, name, options.CreateCollection().SetCapped(true).SetSizeInBytes(1<<20))
		},
		"odd name: ü-'.": func(name string) error { return upsert(db.Collection(name), "x", 1) },
	}
	for name, create := range create {
		for range 2 { // the second time, after it or its database was dropped
			if err := create(name); err != nil {
				t.Fatal(name, err)
			}
			if p := plan(t, db.Collection(name)); !strings.Contains(p, "USING INDEX") {
				t.Errorf("%s: finds by %q", name, p)
			}
			if err := db.Drop(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := each(40, 20, func(i int) error { return upsert(db.Collection(fmt.Sprint("c", i)), "x", i) }); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if p := plan(t, db.Collection(fmt.Sprint("c", i))); !strings.Contains(p, "USING INDEX") {
			t.Errorf("made with others: finds by %q", p)
		}
	}
}

func TestWithoutIndexItScans(t *testing.T) {
	dir := t.TempDir()
	s, db := serve(t, embedmongo.Options{Dir: dir, NoIndex: true}, 1)
	if err := upsert(db.Collection("a"), "x", 1); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, db.Collection("a")); !strings.Contains(p, "SCAN") {
		t.Errorf("finds by %q: FerretDB has learned it, the index is not needed any more", p)
	}
	_ = s.Close()
	// A folder without indexes gets them when it is served again.
	_, db = serve(t, embedmongo.Options{Dir: dir}, 1)
	if p := plan(t, db.Collection("a")); !strings.Contains(p, "USING INDEX") {
		t.Errorf("finds by %q", p)
	}
	if found := ids(t, db.Collection("a")); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

func TestConcurrentUpsertsOfDifferentKeys(t *testing.T) {
	_, db := serve(t, embedmongo.Options{}, 300)
	c := db.Collection("a")
	const n = 3000
	if err := each(n, 300, func(i int) error { return upsert(c, fmt.Sprint(i), i) }); err != nil {
		t.Fatal(err)
	}
	found := ids(t, c)
	for id, times := range found {
		if times != 1 {
			t.Errorf("%s is there %d times", id, times)
		}
	}
	if len(found) != n {
		t.Errorf("%d documents, want %d", len(found), n)
	}
}

func TestConcurrentUpsertsOfTheSameKeys(t *testing.T) {
	_, db := serve(t, embedmongo.Options{}, 150)
	c := db.Collection("a")
	if err := each(3000, 150, func(i int) error { return upsert(c, fmt.Sprint(i/150), i) }); err != nil {
		t.Fatal(err)
	}
	found := ids(t, c)
	for id, times := range found {
		if times != 1 {
			t.Errorf("%s is there %d times", id, times)
		}
	}
	if len(found) != 20 {
		t.Errorf("%d documents, want 20", len(found))
	}
}

// FerretDB without the front deadlocks in each of these.
func TestManyReplacementsOfExistingDocuments(t *testing.T) {
	_, db := serve(t, embedmongo.Options{}, 300)
	c := db.Collection("a")
	var models []driver.WriteModel
	for i := range 1000 {
		models = append(models, replacement(fmt.Sprint(i), i))
	}
	bulk := func() error {
		_, err := c.BulkWrite(context.Background(), models, options.BulkWrite().SetOrdered(false))
		return err
	}
	for range 2 { // the first time inserts, the second replaces
		if err := each(4, 4, func(int) error { return bulk() }); err != nil {
			t.Fatal(err)
		}
	}
	if err := each(600, 300, func(i int) error { return upsert(c, fmt.Sprint(i%300), -i) }); err != nil {
		t.Fatal(err)
	}
	if found := ids(t, c); len(found) != 1000 {
		t.Errorf("%d documents, want 1000", len(found))
	}
}

func TestClientsAreToldTheBatchLimit(t *testing.T) {
	_, db := serve(t, embedmongo.Options{}, 1)
	var hello struct {
		MaxWriteBatchSize int `bson:"maxWriteBatchSize"`
	}
	if err := db.RunCommand(context.Background(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	if hello.MaxWriteBatchSize != 64 {
		t.Errorf("limit %d, want 64", hello.MaxWriteBatchSize)
	}
}

func TestServeFailsWithReason(t *testing.T) {
	if _, err := embedmongo.Serve(context.Background(), embedmongo.Options{}); err == nil {
		t.Error("served without a folder")
	}
	if _, err := embedmongo.Serve(context.Background(), embedmongo.Options{Dir: t.TempDir(), Addr: "127.0.0.1:99999"}); err == nil {
		t.Error("served on port 99999")
	}
}

func TestCloseWithClientsConnected(t *testing.T) {
	s, db := serve(t, embedmongo.Options{}, 10)
	if err := each(20, 10, func(i int) error { return upsert(db.Collection("a"), fmt.Sprint(i), i) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-s.Done():
	default:
		t.Error("closed, but not done")
	}
}

// Two servers on one folder would not see each other's writes.
func TestOneServerAFolder(t *testing.T) {
	dir := t.TempDir()
	opts := embedmongo.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	first, err := embedmongo.Serve(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := embedmongo.Serve(context.Background(), opts); !errors.Is(err, scratch.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second server %v: %v", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	// A server that failed to start has released the folder as well.
	opts.Addr = "127.0.0.1:1x"
	if _, err := embedmongo.Serve(context.Background(), opts); err == nil || errors.Is(err, scratch.ErrLocked) {
		t.Errorf("served on a port that is none: %v", err)
	}
	opts.Addr = ""
	serve(t, opts, 1)
}

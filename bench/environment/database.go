package environment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment/child"
)

// startDatabase starts the database, and the proxy before it when asked for.
func (e *Environment) startDatabase(ctx context.Context) error {
	if err := e.startMongo(ctx); err != nil {
		return err
	}
	if !e.options.DatabaseLatency {
		return nil
	}
	return e.startProxy(ctx)
}

func (e *Environment) startMongo(ctx context.Context) error {
	var args []string
	if e.options.KeepData {
		args = []string{"-dir", filepath.Join(e.options.LogDir, "data")}
	}
	var client *driver.Client
	p, err := e.spawn(ctx, mongoName, args, func(ctx context.Context, p *child.Process) (err error) {
		client, err = connect(ctx, mongoURI(p.Addr))
		return err
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	old := e.client
	e.mongo, e.client, e.version = p, client, p.Version
	e.mu.Unlock()
	if old != nil {
		disconnect(old)
	}
	return nil
}

// startProxy starts the proxy before the running database.
func (e *Environment) startProxy(ctx context.Context) error {
	e.mu.Lock()
	args := []string{"-target", addr(e.mongo).String()}
	e.mu.Unlock()
	p, err := e.spawn(ctx, proxyName, args, func(ctx context.Context, p *child.Process) error {
		client, err := connect(ctx, mongoURI(p.Addr))
		if err != nil {
			return err
		}
		return client.Disconnect(ctx)
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.proxy = p
	latency := e.latency
	e.mu.Unlock()
	return e.callProxy(ctx, proxyRequest{Latency: &latency})
}

// connect returns a client after a ping.
func connect(ctx context.Context, uri string) (*driver.Client, error) {
	o := options.Client().ApplyURI(uri).SetMaxPoolSize(8).SetServerSelectionTimeout(10 * time.Second)
	client, err := driver.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", uri, err)
	}
	if err := client.Ping(ctx, nil); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("ping %s: %w", uri, err)
	}
	return client, nil
}

// disconnect frees what a client holds, also when its server is dead.
func disconnect(client *driver.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = client.Disconnect(ctx)
}

var errNoDatabase = errors.New("the database is not running")

func (e *Environment) database(name string) (*driver.Database, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client == nil {
		return nil, errNoDatabase
	}
	return e.client.Database(name), nil
}

// SetDatabaseLatency sets by how much commands that read or change documents
// are delayed from now on, for whoever connects to MongoAddr.
func (e *Environment) SetDatabaseLatency(ctx context.Context, d time.Duration) error {
	if !e.options.DatabaseLatency {
		if d == 0 {
			return nil
		}
		return fmt.Errorf("set database latency %s: the environment was started without DatabaseLatency", d)
	}
	e.mu.Lock()
	e.latency = d
	e.mu.Unlock()
	return e.callProxy(ctx, proxyRequest{Latency: &d})
}

func (e *Environment) callProxy(ctx context.Context, r proxyRequest) error {
	e.mu.Lock()
	p := e.proxy
	e.mu.Unlock()
	if p == nil {
		return errors.New("the database proxy is not running")
	}
	return p.Call(ctx, r)
}

// Prepare makes an empty collection and verifies that its index on _id is used.
func (e *Environment) Prepare(ctx context.Context, database, collection string) error {
	if err := e.DropCollection(ctx, database, collection); err != nil {
		return err
	}
	db, err := e.database(database)
	if err != nil {
		return fmt.Errorf("prepare %s.%s: %w", database, collection, err)
	}
	if err := db.CreateCollection(ctx, collection); err != nil {
		return fmt.Errorf("prepare %s.%s: %w", database, collection, err)
	}
	plan, err := planByID(ctx, db, collection)
	if err != nil {
		return fmt.Errorf("prepare %s.%s: explain: %w", database, collection, err)
	}
	if !strings.Contains(plan, "USING INDEX") {
		return fmt.Errorf("prepare %s.%s: the database has no index on _id: %q", database, collection, plan)
	}
	return nil
}

// planByID is how SQLite finds a document by _id.
func planByID(ctx context.Context, db *driver.Database, collection string) (string, error) {
	find := bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: bson.D{{Key: "_id", Value: "x"}}}}
	var answer struct {
		QueryPlanner struct {
			Plan []string `bson:"Plan"`
		} `bson:"queryPlanner"`
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "explain", Value: find}}).Decode(&answer); err != nil {
		return "", err
	}
	return strings.Join(answer.QueryPlanner.Plan, "; "), nil
}

// DropCollection removes a collection, if it is there.
func (e *Environment) DropCollection(ctx context.Context, database, collection string) error {
	db, err := e.database(database)
	if err == nil {
		err = db.Collection(collection).Drop(ctx)
	}
	if err != nil {
		return fmt.Errorf("drop %s.%s: %w", database, collection, err)
	}
	return nil
}

// DropDatabase removes a database, if it is there.
func (e *Environment) DropDatabase(ctx context.Context, database string) error {
	db, err := e.database(database)
	if err == nil {
		err = db.Drop(ctx)
	}
	if err != nil {
		return fmt.Errorf("drop database %s: %w", database, err)
	}
	return nil
}

// Documents calls each with every document of a collection, in no particular
// order, until it returns an error, which is returned. A document is valid
// during the call.
func (e *Environment) Documents(ctx context.Context, database, collection string, each func(bson.Raw) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s.%s: %w", database, collection, err)
		}
	}()
	db, err := e.database(database)
	if err != nil {
		return err
	}
	cursor, err := db.Collection(collection).Find(ctx, bson.D{}, options.Find().SetBatchSize(1000))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	for cursor.Next(ctx) {
		if err := each(cursor.Current); err != nil {
			return err
		}
	}
	return cursor.Err()
}

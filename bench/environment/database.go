package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment/child"
	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/target"
	"floodgate/results"
	"floodgate/scenarios"
)

// startDatabase starts the database and, if requested, the proxy in front of it.
func (e *Environment) startDatabase(ctx context.Context) error {
	if err := e.startMongo(ctx); err != nil {
		return err
	}
	if !e.options.Link {
		return nil
	}
	return e.startProxy(ctx)
}

func (e *Environment) startMongo(ctx context.Context) error {
	m, err := e.provider.startMongo(ctx)
	if err != nil {
		return err
	}
	client, version, err := e.connectWithVersion(ctx, m.uri)
	if err != nil {
		return errors.Join(err, m.Stop(stopGrace))
	}
	version = cmp.Or(m.version, version)
	e.mu.Lock()
	old := e.client
	e.mongo, e.client, e.version = m, client, version
	e.mu.Unlock()
	if old != nil {
		disconnect(old)
	}
	return nil
}

// connectWithVersion returns a long-lived client of the database and its version.
func (e *Environment) connectWithVersion(ctx context.Context, uri string) (*driver.Client, string, error) {
	client, err := e.connect(ctx, uri)
	if err != nil {
		return nil, "", err
	}
	version, err := target.Version(ctx, client)
	if err != nil {
		disconnect(client)
		return nil, "", err
	}
	return client, version, nil
}

// startProxy starts the proxy in front of the running database.
func (e *Environment) startProxy(ctx context.Context) error {
	e.mu.Lock()
	m := e.mongo
	request := proxyRequest{Target: &m.target, Link: e.proxyLink()}
	e.mu.Unlock()
	check := func(ctx context.Context, p *child.Process) error {
		if err := p.Call(ctx, request); err != nil {
			return err
		}
		return e.ping(ctx, m.through(p.Addr))
	}
	var p *child.Process
	var inside netip.AddrPort
	var err error
	if k, ok := e.provider.(kubernetes); ok {
		if p, inside, err = k.startProxy(ctx); err == nil {
			if err = check(ctx, p); err != nil {
				err = errors.Join(err, p.Stop(stopGrace))
			}
		}
	} else {
		p, err = e.spawn(ctx, proxyName, nil, check)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.proxy, e.proxyInside = p, inside
	e.mu.Unlock()
	return nil
}

// connect returns a client after a successful ping.
func (e *Environment) connect(ctx context.Context, uri string) (*driver.Client, error) {
	return connectWith(ctx, uri, e.options.Policy)
}

func connectWith(ctx context.Context, uri string, p target.Policy) (*driver.Client, error) {
	o := options.Client().ApplyURI(uri).SetMaxPoolSize(8).SetServerSelectionTimeout(10 * time.Second).SetDialer(p)
	client, err := driver.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", results.Redact(uri), err)
	}
	if err := client.Ping(ctx, nil); err != nil {
		disconnect(client)
		return nil, fmt.Errorf("ping %s: %w", results.Redact(uri), err)
	}
	return client, nil
}

// disconnect frees a client's resources, even if its server is dead.
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

// ConfigureDatabase sets the latency, jitter, bandwidth and resets of connections to
// MongoAddrs from now on, drawn with the seed. It needs Options.Link unless d adds nothing.
func (e *Environment) ConfigureDatabase(ctx context.Context, d scenarios.Database, seed uint64) error {
	if !e.options.Link {
		if !d.Linked() {
			return nil
		}
		return errors.New("configure the way to the database: the environment was started without Link")
	}
	e.mu.Lock()
	e.link, e.seed = d, seed
	link := e.proxyLink()
	e.mu.Unlock()
	return e.callProxy(ctx, proxyRequest{Link: link})
}

func (e *Environment) proxyLink() *dbproxy.Link {
	return &dbproxy.Link{
		Latency: time.Duration(e.link.Latency), Jitter: time.Duration(e.link.Jitter),
		Bandwidth: int64(e.link.Bandwidth), Resets: e.link.Resets, Seed: e.seed,
	}
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

// Prepare creates an empty collection and verifies that FerretDB uses its index on _id,
// as MongoDB always does.
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
	if !e.ferret() {
		return nil
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

func (e *Environment) ferret() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.HasPrefix(e.version, "FerretDB")
}

// planByID returns SQLite's query plan for finding a document by _id.
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

// DropCollection drops a collection if it exists.
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

// Documents calls each for every document of a collection, in unspecified order, until
// it returns an error, which Documents returns. A document is valid only during the call.
func (e *Environment) Documents(ctx context.Context, database, collection string, each func(bson.Raw) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s.%s: %w", database, collection, explain(ctx, e.servers()[1], err))
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

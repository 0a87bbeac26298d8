package target_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	embedded "floodgate/bench/environment/embedmongo"
	"floodgate/bench/environment/target"
	"floodgate/bench/environment/target/internal/fakemongo"
	"floodgate/scenarios/pipeline/calllog"
	"floodgate/scenarios/pipeline/dialcount"
)

// backend starts an embedded database, which requires no authentication.
func backend(t *testing.T) netip.AddrPort {
	t.Helper()
	s, err := embedded.Serve(context.Background(), embedded.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

func fake(t *testing.T, o fakemongo.Options) *fakemongo.Server {
	t.Helper()
	s, err := fakemongo.Serve(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// replicaSet makes the members announce that they form a set; the first is the primary.
func replicaSet(name string, members []*fakemongo.Server, others ...string) {
	hosts := bson.A{}
	for _, m := range members {
		hosts = append(hosts, m.Addr().String())
	}
	for _, o := range others {
		hosts = append(hosts, o)
	}
	for i, m := range members {
		m.Announce(bson.D{
			{Key: "setName", Value: name}, {Key: "setVersion", Value: 1}, {Key: "hosts", Value: hosts},
			{Key: "primary", Value: hosts[0]}, {Key: "me", Value: m.Addr().String()},
			{Key: "isWritablePrimary", Value: i == 0}, {Key: "ismaster", Value: i == 0}, {Key: "secondary", Value: i > 0},
		})
	}
}

// write writes single documents and a bulk of them with the writer that trials use.
func write(t *testing.T, uri string, p target.Policy) error {
	t.Helper()
	w, err := calllog.NewMongoWriter(calllog.MongoOptions{
		URI: uri, Database: "floodgate_test", Collection: "calls", MaxPoolSize: 2, Timeout: 30 * time.Second,
		SelectionTimeout: 2 * time.Second, Dialer: &dialcount.Counter{Dial: p.DialContext},
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := w.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	var docs []calllog.Document
	for i := range 5 {
		id := fmt.Sprint("item", i)
		docs = append(docs, calllog.Document{ID: id, Item: id, Records: []calllog.Record{}})
	}
	if err := w.Write(t.Context(), docs[:1]); err != nil {
		return err
	}
	return w.Write(t.Context(), docs)
}

// stored returns the number of documents that write wrote.
func stored(t *testing.T, db netip.AddrPort) int64 {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + db.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	n, err := client.Database("floodgate_test").Collection("calls").CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parse(t *testing.T, uri string) *target.Mongo {
	t.Helper()
	m, err := target.ParseMongo(uri)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// relay is a plain proxy to the primary of a deployment, with TLS if the deployment uses
// it.
func relay(t *testing.T, d *target.Deployment) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { pass(t, client, d) })
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func pass(t *testing.T, client net.Conn, d *target.Deployment) {
	defer client.Close()
	server, err := dialServer(d)
	if err != nil {
		t.Error(err)
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client)
		server.Close()
	})
	_, _ = io.Copy(client, server)
	client.Close()
	wg.Wait()
}

func dialServer(d *target.Deployment) (net.Conn, error) {
	o := d.Mongo.TLS()
	if o == nil {
		return net.Dial("tcp", d.Primary)
	}
	config := &tls.Config{ServerName: o.ServerName, InsecureSkipVerify: o.Insecure, RootCAs: x509.NewCertPool()}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if o.CertKeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertKeyFile, o.CertKeyFile)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return tls.Dial("tcp", d.Primary, config)
}

package target_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/net/dns/dnsmessage"

	"floodgate/bench/environment/target"
	"floodgate/bench/environment/target/internal/fakemongo"
	"floodgate/scenarios/pipeline"
)

const password = "S3CRET p@ss/w:rd%?#&=ü"

// credentials precede a host in a URI.
var credentials = url.UserPassword("user", password).String() + "@"

// Discover recognizes every kind of deployment, and the writer of trials can write to it.
func TestDeployments(t *testing.T) {
	db := backend(t)
	ca, err := fakemongo.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	secure := func(mutual bool) *tls.Config {
		c, err := ca.Server(mutual, "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	clientFile, err := ca.ClientFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	plain, withTLS := fake(t, fakemongo.Options{Backend: db}), fake(t, fakemongo.Options{Backend: db, TLS: secure(false)})
	mutual := fake(t, fakemongo.Options{Backend: db, TLS: secure(true)})
	locked := fake(t, fakemongo.Options{Backend: db, User: "user", Password: password})
	both := fake(t, fakemongo.Options{Backend: db, TLS: secure(false), User: "user", Password: password})
	members := []*fakemongo.Server{fake(t, fakemongo.Options{Backend: db}), fake(t, fakemongo.Options{Backend: db})}
	replicaSet("rs0", members)
	mongos := []*fakemongo.Server{fake(t, fakemongo.Options{Backend: db}), fake(t, fakemongo.Options{Backend: db})}
	for _, m := range mongos {
		m.Announce(bson.D{{Key: "msg", Value: "isdbgrid"}})
	}
	tlsOptions := "?tls=true&tlsCAFile=" + url.QueryEscape(ca.File)
	for _, c := range []struct {
		name, uri string
		kind, set string
		hosts     []*fakemongo.Server
	}{
		{"plain", "mongodb://" + plain.Addr().String(), target.Standalone, "", []*fakemongo.Server{plain}},
		{"TLS", "mongodb://" + withTLS.Addr().String() + "/" + tlsOptions, target.Standalone, "", []*fakemongo.Server{withTLS}},
		{"TLS, unchecked", "mongodb://" + withTLS.Addr().String() + "/?tls=true&tlsInsecure=true", target.Standalone, "", []*fakemongo.Server{withTLS}},
		{"TLS with a client's certificate", "mongodb://" + mutual.Addr().String() + "/" + tlsOptions + "&tlsCertificateKeyFile=" + url.QueryEscape(clientFile),
			target.Standalone, "", []*fakemongo.Server{mutual}},
		{"password", "mongodb://" + credentials + locked.Addr().String() + "/", target.Standalone, "", []*fakemongo.Server{locked}},
		{"password, mechanism named", "mongodb://" + credentials + locked.Addr().String() + "/x?authSource=admin&authMechanism=SCRAM-SHA-256",
			target.Standalone, "", []*fakemongo.Server{locked}},
		{"TLS and password", "mongodb://" + credentials + both.Addr().String() + "/" + tlsOptions, target.Standalone, "", []*fakemongo.Server{both}},
		{"replica set by its secondary", "mongodb://" + members[1].Addr().String() + "/?replicaSet=rs0", target.ReplicaSet, "rs0", members},
		{"replica set, not named", "mongodb://" + members[0].Addr().String() + "/?w=majority&readPreference=secondaryPreferred", target.ReplicaSet, "rs0", members},
		{"primary alone", "mongodb://" + members[0].Addr().String() + "/?directConnection=true", target.ReplicaSet, "rs0", members[:1]},
		{"sharded cluster", "mongodb://" + mongos[0].Addr().String() + "," + mongos[1].Addr().String() + "/", target.Sharded, "", mongos},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.uri)
			d, err := m.Discover(t.Context(), target.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			var hosts []string
			for _, h := range c.hosts {
				hosts = append(hosts, h.Addr().String())
			}
			if d.Kind != c.kind || d.Set != c.set || !slices.Equal(d.Hosts, hosts) || d.Primary != hosts[0] || len(d.Addrs) != len(hosts) {
				t.Errorf("found %+v, want %s %q of %q", d, c.kind, c.set, hosts)
			}
			if !strings.HasPrefix(d.Version, "FerretDB v1") || !strings.Contains(d.String(), c.kind) {
				t.Errorf("version %q, %s", d.Version, d)
			}
			if err := write(t, d.Mongo.URI(), target.Policy{}); err != nil {
				t.Error("write:", err)
			}
			if n := stored(t, db); n != 5 {
				t.Errorf("%d documents", n)
			}
			if err := m.Proxyable(); err != nil {
				t.Error(err)
			}
			if err := write(t, m.ViaProxy(relay(t, d)), target.Policy{}); err != nil {
				t.Error("write through a proxy:", err)
			}
		})
	}
}

// Discover detects unusable deployments before any trial. Its errors have a type and do
// not contain the password.
func TestDeploymentsThatCannotBeUsed(t *testing.T) {
	db := backend(t)
	ca, err := fakemongo.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	other, err := fakemongo.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := ca.Server(false, "db.example.test")
	if err != nil {
		t.Fatal(err)
	}
	here, err := ca.Server(true, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server := func(o fakemongo.Options) *fakemongo.Server { o.Backend = db; return fake(t, o) }
	locked, plain := server(fakemongo.Options{User: "user", Password: "another"}), server(fakemongo.Options{})
	wrongName, needsClient := server(fakemongo.Options{TLS: elsewhere}), server(fakemongo.Options{TLS: here})
	set := []*fakemongo.Server{server(fakemongo.Options{}), server(fakemongo.Options{})}
	replicaSet("rs0", set)
	headless := server(fakemongo.Options{})
	headless.Announce(bson.D{{Key: "setName", Value: "rs1"}, {Key: "hosts", Value: bson.A{headless.Addr().String()}},
		{Key: "me", Value: headless.Addr().String()}, {Key: "isWritablePrimary", Value: false}, {Key: "ismaster", Value: false}, {Key: "secondary", Value: true}})
	closed := fake(t, fakemongo.Options{Backend: db})
	closed.Close()
	caFile := "tls=true&tlsCAFile=" + url.QueryEscape(ca.File)
	for _, c := range []struct{ name, uri, writes, want string }{
		{"wrong password", "mongodb://" + credentials + locked.Addr().String(), "mongo_auth", "auth"},
		{"no password", "mongodb://" + locked.Addr().String(), "mongo_auth", "requires authentication"},
		{"certificate of another authority", "mongodb://" + needsClient.Addr().String() + "/?tls=true&tlsCAFile=" + url.QueryEscape(other.File), "mongo_tls", "certificate"},
		{"certificate of an unknown authority", "mongodb://" + credentials + needsClient.Addr().String() + "/?tls=true", "mongo_tls", "certificate"},
		{"certificate for another name", "mongodb://" + wrongName.Addr().String() + "/?" + caFile, "mongo_tls", "certificate"},
		// With TLS 1.3 the client learns of the refusal after its handshake, and the
		// driver may report a timeout instead.
		{"no client certificate", "mongodb://" + needsClient.Addr().String() + "/?" + caFile, "", "connect to mongodb://"},
		{"no listener", "mongodb://" + credentials + closed.Addr().String(), "refused", "refused"},
		{"another replica set", "mongodb://" + set[0].Addr().String() + "/?replicaSet=rs7", "mongo_server_selection", "asks for replica set rs7"},
		{"no replica set", "mongodb://" + plain.Addr().String() + "/?replicaSet=rs7", "mongo_server_selection", "rs7"},
		{"secondary alone", "mongodb://" + set[1].Addr().String() + "/?directConnection=true", "", "does not accept writes"},
		{"no primary", "mongodb://" + headless.Addr().String(), "mongo_server_selection", "no primary"},
		{"public address", "mongodb://" + credentials + public + ":27017", "not_allowed", "--allow-target " + public},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := parse(t, c.uri)
			_, err := m.Discover(t.Context(), target.Policy{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("discover: %v, want %q", err, c.want)
			}
			if strings.Contains(m.Redacted(), "S3CRET") {
				t.Error(m.Redacted())
			}
			if c.writes == "" {
				return
			}
			err = write(t, m.URI(), target.Policy{})
			if got := pipeline.ErrorType(err); got != c.writes || strings.Contains(err.Error(), "S3CRET") {
				t.Errorf("write: %s: %v, want %s", got, err, c.writes)
			}
		})
	}
}

// Discover refuses a replica set with a member on another machine. The driver, which
// trusts the set's list of members, cannot connect to that member either.
func TestReplicaSetCannotLeadElsewhere(t *testing.T) {
	member := fake(t, fakemongo.Options{Backend: backend(t)})
	replicaSet("rs0", []*fakemongo.Server{member}, public+":27017")
	m := parse(t, "mongodb://"+member.Addr().String()+"/?replicaSet=rs0")
	_, err := m.Discover(t.Context(), target.Policy{})
	var refused *target.RefusedError
	if !errors.As(err, &refused) || refused.Host != public {
		t.Errorf("discover: %v", err)
	}
	if err := write(t, m.URI(), target.Policy{}); err != nil {
		t.Error("the primary is here, and was written to:", err)
	}
	// A set whose only member is elsewhere is refused as well.
	member.Announce(bson.D{{Key: "setName", Value: "rs0"}, {Key: "hosts", Value: bson.A{public + ":27017"}}, {Key: "primary", Value: public + ":27017"},
		{Key: "me", Value: public + ":27017"}, {Key: "isWritablePrimary", Value: false}, {Key: "ismaster", Value: false}, {Key: "secondary", Value: true}})
	if err := write(t, m.URI(), target.Policy{}); pipeline.ErrorType(err) != "not_allowed" {
		t.Errorf("write: %s: %v", pipeline.ErrorType(err), err)
	}
}

// The servers of a mongodb+srv name and their options come from one lookup in DNS.
func TestServersFromDNS(t *testing.T) {
	db := backend(t)
	ca, err := fakemongo.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config, err := ca.Server(false, "db1.example.test")
	if err != nil {
		t.Fatal(err)
	}
	server := fake(t, fakemongo.Options{Backend: db, TLS: config, User: "user", Password: password})
	port := server.Addr().Port()
	record := func(host string) []dnsmessage.SRVResource {
		return []dnsmessage.SRVResource{{Port: port, Target: dnsmessage.MustNewName(host)}}
	}
	at := "db1.example.test:" + strconv.Itoa(int(port))
	server.Announce(bson.D{{Key: "setName", Value: "rs0"}, {Key: "setVersion", Value: 1}, {Key: "hosts", Value: bson.A{at}},
		{Key: "primary", Value: at}, {Key: "me", Value: at}, {Key: "isWritablePrimary", Value: true}, {Key: "ismaster", Value: true}})
	p := allow(dns(t, zone{
		addrs: map[string][][]string{"db1.example.test.": {{"127.0.0.1"}}, "db2.example.test.": {{public}}, "stranger.test.": {{"127.0.0.1"}}},
		srv: map[string][]dnsmessage.SRVResource{
			"_mongodb._tcp.here.example.test.": record("db1.example.test."), "_other._tcp.here.example.test.": record("db1.example.test."),
			"_mongodb._tcp.there.example.test.": record("db2.example.test."), "_mongodb._tcp.odd.example.test.": record("stranger.test."),
			"_mongodb._tcp.texts.example.test.": record("db1.example.test."), "_mongodb._tcp.text.example.test.": record("db1.example.test."),
		},
		txt: map[string][]string{
			"here.example.test.": {"authSource=admin&replicaSet=rs0"}, "texts.example.test.": {"authSource=a", "authSource=b"}, "text.example.test.": {"tls=false"},
		},
	}))
	options := "/?tlsCAFile=" + url.QueryEscape(ca.File)
	for _, c := range []struct{ name, host, options, want string }{
		{"found", "here.example.test", options, ""},
		{"another service", "here.example.test", options + "&srvServiceName=other", ""},
		{"server elsewhere", "there.example.test", options, "--allow-target db2.example.test"},
		{"server of another domain", "odd.example.test", options, "not in the domain"},
		{"two texts", "texts.example.test", options, "want at most 1"},
		{"text with another option", "text.example.test", options, "other than authSource"},
		{"no servers", "nobody.example.test", options, "ask DNS for the servers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, "mongodb+srv://"+credentials+c.host+c.options)
			d, err := m.Discover(t.Context(), p)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "S3CRET") {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Kind != target.ReplicaSet || d.Primary != at || !slices.Equal(d.Hosts, []string{at}) || d.Mongo.TLS() == nil {
				t.Errorf("found %+v", d)
			}
			if host, _, _ := net.SplitHostPort(d.Mongo.Hosts()[0]); host != "db1.example.test" || !strings.HasPrefix(d.Mongo.URI(), "mongodb://") {
				t.Errorf("resolved to %s", d.Mongo.Redacted())
			}
			if err := write(t, d.Mongo.URI(), p); err != nil {
				t.Error("write:", err)
			}
		})
	}
}

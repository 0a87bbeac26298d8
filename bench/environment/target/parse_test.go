package target_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"pgregory.net/rapid"

	"floodgate/bench/environment/target"
	_ "floodgate/mockupstream/rng/fixedseed"
)

var proxy = netip.MustParseAddrPort("127.0.0.1:7777")

func TestParseMongo(t *testing.T) {
	for _, c := range []struct {
		uri      string
		hosts    []string
		redacted string
		through  string
	}{
		{"mongodb://localhost", []string{"localhost:27017"}, "mongodb://localhost:27017/", "mongodb://127.0.0.1:7777/?directConnection=true"},
		{"mongodb://[::1]:5,h/", []string{"[::1]:5", "h:27017"}, "mongodb://[::1]:5,h:27017/", "mongodb://127.0.0.1:7777/?directConnection=true"},
		{"mongodb://u:p%40q@h:1/db?authSource=a&w=majority&replicaSet=r&tls=true&tlsCAFile=/x&readPreference=nearest&readPreferenceTags=a:b&maxStalenessSeconds=90&journal=true",
			[]string{"h:1"}, "mongodb://***@h:1/db", "mongodb://u:p%40q@127.0.0.1:7777/db?authSource=a&w=majority&journal=true&directConnection=true"},
		{"mongodb://u:p@h/?AuthMechanism=PLAIN;connect=direct", []string{"h:27017"}, "mongodb://***@h:27017/",
			"mongodb://u:p@127.0.0.1:7777/?AuthMechanism=PLAIN&directConnection=true"},
		{"mongodb://h/?loadBalanced=true", []string{"h:27017"}, "mongodb://h:27017/", "mongodb://127.0.0.1:7777/?loadBalanced=true"},
		{"mongodb+srv://u:p@cluster.example.test/db?retryWrites=true", []string{"cluster.example.test"}, "mongodb+srv://***@cluster.example.test/db",
			"mongodb://u:p@127.0.0.1:7777/db?retryWrites=true&directConnection=true"},
	} {
		m, err := target.ParseMongo(c.uri)
		if err != nil {
			t.Errorf("%s: %v", c.uri, err)
			continue
		}
		if !slices.Equal(m.Hosts(), c.hosts) || m.Redacted() != c.redacted || m.ViaProxy(proxy) != c.through {
			t.Errorf("%s:\n%q\n%s\n%s", c.uri, m.Hosts(), m.Redacted(), m.ViaProxy(proxy))
		}
		if shown := fmt.Sprintf("%v %+v %#v %s", m, m, m, m); strings.Contains(shown, "u:p") {
			t.Errorf("printed as %s", shown)
		}
		again, err := target.ParseMongo(m.URI())
		if err != nil || again.URI() != m.URI() {
			t.Errorf("%s: its URI %s: %v", c.uri, m.URI(), err)
		}
	}
}

func TestMongoURIsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ uri, want string }{
		{"", "want mongodb://"}, {"http://h", "want mongodb://"}, {"mongodb:h", "want mongodb://"}, {"MONGODB://h", "want mongodb://"},
		{"mongodb://", "a host is malformed"}, {"mongodb:///db", "a host is malformed"}, {"mongodb://h,", "a host is malformed"},
		{"mongodb://h:0", "a host is malformed"}, {"mongodb://h:65536", "a host is malformed"}, {"mongodb://h:", "a host is malformed"},
		{"mongodb://u:S3CRET", "a host is malformed"}, {"mongodb://S3CRET#x", "a host is malformed"}, {"mongodb://[fe80::1%25S3CRET]", "a host is malformed"},
		{"mongodb://%2Ftmp%2Fmongodb-27017.sock", "Unix sockets"}, {"mongodb:///tmp/S3CRET.sock", "a host is malformed"},
		{"mongodb://u:S3@CRET@h", "percent-encoding"}, {"mongodb://u:S3:CRET@h", "percent-encoding"}, {"mongodb://u:S3/CRET@h", "percent-encoding"},
		{"mongodb://u:S3%CRET@h", "percent-encoding"}, {"mongodb://:S3CRET@h", "percent-encoding"}, {"mongodb://u:S3?CRET@h", "percent-encoding"},
		{"mongodb://u:S3CRET @h", "spaces"}, {"mongodb://h/\x00", "control"},
		{"mongodb://h?tls=true", "the / before"},
		{"mongodb://h/S3.CRET", "the database's name"}, {"mongodb://h/a/b", "the database's name"},
		{"mongodb://h/?tls", "option 1 is not of the form"}, {"mongodb://h/?tls=true&=S3CRET", "option 2 is not of the form"},
		{"mongodb://h/?tls=S3CRET", "the value of option tls"}, {"mongodb://h/?maxPoolSize=S3CRET", "the value of option maxPoolSize"},
		{"mongodb://h/?authMechanism=S3CRET", "the value of option authMechanism"},
		{"mongodb://h/?authMechanismProperties=S3CRET", "the value of option authMechanismProperties"},
		{"mongodb://h/?w=1&S3CRET=1", "option 2 is unknown"}, {"mongodb://h/?tlsAllowInvalidCertificates=true", "option 1 is unknown"},
		{"mongodb://h/?S3%CRET=1", "option 1 is unknown"},
		{"mongodb://h/?tls=true&ssl=false", "contradict"}, {"mongodb://a,b/?directConnection=true", "contradict"},
		{"mongodb://u@h/?authMechanism=PLAIN", "contradict"}, {"mongodb://h/?loadBalanced=true&replicaSet=r", "contradict"},
		{"mongodb://h/?w=0", "w=0"},
		{"mongodb://h/?srvMaxHosts=1", "chooses servers at random"}, {"mongodb+srv://h/?srvMaxHosts=1", "chooses servers at random"},
		{"mongodb://h/?srvServiceName=x", "option srvServiceName must be"},
		{"mongodb+srv://a,b/", "requires a single host name"}, {"mongodb+srv://h:1/", "requires a single host name"}, {"mongodb+srv://h/?directConnection=true", "direct connection"},
		{"mongodb://h/?authMechanism=MONGODB-OIDC&authMechanismProperties=ENVIRONMENT:gcp,TOKEN_RESOURCE:x", "requires servers other than the database"},
		{"mongodb://u@h/?authMechanism=GSSAPI", "requires servers other than the database"}, {"mongodb://h/?authMechanism=MONGODB-AWS", "requires servers other than the database"},
	} {
		m, err := target.ParseMongo(c.uri)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "CRET") || m != nil {
			t.Errorf("%q: %v, want %q", c.uri, err, c.want)
		}
	}
}

func TestMongoTLSAndSecrets(t *testing.T) {
	for _, c := range []struct {
		uri       string
		tls       *target.TLS
		secrets   []string
		proxyable bool
	}{
		{"mongodb://h/", nil, nil, true},
		{"mongodb://u@h/?tls=false", nil, nil, true},
		{"mongodb://h/?tls=true", &target.TLS{}, nil, true},
		{"mongodb+srv://h/", &target.TLS{}, nil, true},
		{"mongodb+srv://h/?ssl=false", nil, nil, true},
		{"mongodb://h/?tlsCAFile=%2Fca&tlsCertificateKeyFile=/key&tlsInsecure=true", &target.TLS{CAFile: "/ca", CertKeyFile: "/key", Insecure: true}, nil, true},
		{"mongodb://h/?tlsCertificateKeyFile=/key&tlsCertificateKeyFilePassword=phr%2Fase", &target.TLS{CertKeyFile: "/key"}, []string{"phr/ase"}, false},
		{"mongodb://h/?tlsCertificateFile=/c&tlsPrivateKeyFile=/k", &target.TLS{}, nil, false},
		{"mongodb://u:p%40ss@h/", nil, []string{"p%40ss", "p@ss", "u:p%40ss", "u:p@ss"}, true},
		{"mongodb://u:pass@h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION_TOKEN:tok%2Fen", nil,
			[]string{"pass", "tok/en", "u:pass"}, true},
	} {
		m := parse(t, c.uri)
		if got := m.TLS(); (got == nil) != (c.tls == nil) || got != nil && *got != *c.tls {
			t.Errorf("%s: TLS %+v", c.uri, got)
		}
		if got := m.Secrets(); !slices.Equal(got, c.secrets) {
			t.Errorf("%s: secrets %q, want %q", c.uri, got, c.secrets)
		}
		if err := m.Proxyable(); (err == nil) != c.proxyable {
			t.Errorf("%s: %v", c.uri, err)
		}
	}
}

// The client gets the password unchanged, whatever its characters, and no text shows it.
func TestPasswordsSurviveAndDoNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := "S3CRET" + rapid.String().Draw(t, "rest") + "S3CRET"
		uri := "mongodb://" + url.UserPassword("user", password).String() + "@h/?" +
			rapid.SampledFrom([]string{"", "w=majority", "replicaSet=r&authSource=x", "tls=true"}).Draw(t, "options")
		m, err := target.ParseMongo(uri)
		if err != nil {
			t.Fatalf("%q: %v", uri, err)
		}
		for _, made := range []string{m.URI(), m.ViaProxy(proxy)} {
			parsed, err := connstring.ParseAndValidate(made)
			if err != nil || parsed.Password != password || parsed.Username != "user" {
				t.Fatalf("%q: %v", made, err)
			}
		}
		if strings.Contains(m.Redacted(), "S3CRET") {
			t.Fatal(m.Redacted())
		}
		if text := target.NewScrubber(m.Secrets()).Scrub("uri " + m.URI() + " password " + password); strings.Contains(text, "S3CRET") {
			t.Fatal(text)
		}
	})
}

func FuzzParseMongo(f *testing.F) {
	for _, seed := range []string{
		"mongodb://h", "mongodb://u:pQZXWK@h:1,i/db?w=1", "mongodb+srv://u:QZXWK@h.x.y/?srvServiceName=s", "mongodb://u:QZXWK", "mongodb://QZXWK@QZXWK@h/?QZXWK=QZXWK",
		"mongodb://h/?tls=QZXWK", "mongodb://h/?QZXWK%=", "QZXWK",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		const marker = "QZXWK" // occurs in none of our messages
		m, err := target.ParseMongo(uri)
		if err != nil {
			if strings.Contains(err.Error(), marker) {
				t.Fatalf("%q: %v", uri, err)
			}
			return
		}
		for _, made := range []string{m.URI(), m.ViaProxy(proxy)} {
			again, err := target.ParseMongo(made)
			if err != nil {
				t.Fatalf("%q became %q: %v", uri, made, err)
			}
			if !slices.Equal(again.Secrets(), m.Secrets()) && !strings.Contains(strings.ToLower(uri), "password=") {
				t.Fatalf("%q: secrets %q became %q", uri, m.Secrets(), again.Secrets())
			}
		}
		for _, s := range m.Secrets() {
			if len(s) >= 4 && strings.Contains(target.NewScrubber(m.Secrets()).Scrub(m.URI()), s) {
				t.Fatalf("%q: %q survives", uri, s)
			}
		}
		_, _, _ = m.TLS(), m.Proxyable(), m.Redacted()
	})
}

func TestOverriddenOptions(t *testing.T) {
	for _, c := range []struct {
		options string
		want    []string // a part of each note, in order
	}{
		{"", nil},
		{"w=majority&journal=true&maxConnecting=4&maxIdleTimeMS=5&compressors=zlib&appName=x", nil},
		{"retryWrites=false&maxAdaptiveRetries=0", nil},
		{"MAXPOOLSIZE=20&w=1&minPoolSize=5", []string{"MAXPOOLSIZE=20 of the connection string is ignored: each variant", "minPoolSize=5 of the connection string is ignored: every trial starts"}},
		{"retryWrites=true&maxAdaptiveRetries=3", []string{"retryWrites=true of the connection string is ignored: writes are not retried", "maxAdaptiveRetries=3 of the connection string is ignored: writes"}},
		{"timeoutMS=100", []string{"timeoutMS=100 of the connection string is ignored: sut.write_timeout"}},
	} {
		notes := parse(t, "mongodb://u:S3CRET@h/?"+c.options).Overridden()
		ok := len(notes) == len(c.want)
		for i := range min(len(notes), len(c.want)) {
			ok = ok && strings.HasPrefix(notes[i], c.want[i])
		}
		if !ok || strings.Contains(strings.Join(notes, ""), "CRET") {
			t.Errorf("%s: %q, want %q", c.options, notes, c.want)
		}
	}
}

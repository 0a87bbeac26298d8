package dbproxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/bench/environment/dbproxy"
	"floodgate/bench/environment/wire"
)

// authority signs certificates. Its own certificate is in a file.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, a.key = a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	write(t, a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	return a
}

// sign completes a certificate; the authority's own is self-signed.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(1), pkix.Name{CommonName: "floodgate test"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return signed, key
}

// pair returns a certificate with its key, also as a file.
func (a *authority) pair(t *testing.T, names ...string) (tls.Certificate, string) {
	t.Helper()
	c, key := a.sign(t, &x509.Certificate{
		DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pair.pem")
	write(t, file, append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...))
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key}, file
}

func write(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	certificate, file := ours.pair(t, "db.test")
	_, foreign := theirs.pair(t, "db.test")
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	open := &tls.Config{Certificates: []tls.Certificate{certificate}}
	mutual := &tls.Config{Certificates: open.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
	for name, test := range map[string]struct {
		server  *tls.Config
		options *dbproxy.TLSOptions
		want    string // the error; empty means none
	}{
		"own CA":                       {open, &dbproxy.TLSOptions{ServerName: "db.test", CAFile: ours.file}, ""},
		"insecure":                     {open, &dbproxy.TLSOptions{Insecure: true}, ""},
		"wrong CA":                     {open, &dbproxy.TLSOptions{ServerName: "db.test", CAFile: theirs.file}, "certificate signed by unknown authority"},
		"CAs of the system":            {open, &dbproxy.TLSOptions{ServerName: "db.test"}, "certificate signed by unknown authority"},
		"wrong name":                   {open, &dbproxy.TLSOptions{ServerName: "other.test", CAFile: ours.file}, "not other.test"},
		"name of the address":          {open, &dbproxy.TLSOptions{CAFile: ours.file}, "127.0.0.1"},
		"no TLS":                       {open, nil, "no answer"},
		"client's certificate":         {mutual, &dbproxy.TLSOptions{ServerName: "db.test", CAFile: ours.file, CertKeyFile: file}, ""},
		"no client's certificate":      {mutual, &dbproxy.TLSOptions{ServerName: "db.test", CAFile: ours.file}, "certificate required"},
		"foreign client's certificate": {mutual, &dbproxy.TLSOptions{ServerName: "db.test", CAFile: ours.file, CertKeyFile: foreign}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", test.server)
			if err != nil {
				t.Fatal(err)
			}
			arrivals := answer(t, l)
			p, dial := start(t, dbproxy.Target{Addr: l.Addr().String(), TLS: test.options, Loopback: true}, dbproxy.Link{Latency: 1})
			err = p.Check(t.Context())
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), l.Addr().String()) {
					t.Errorf("%v, want %q of %s", err, test.want, l.Addr())
				}
				c := dial()
				_, _ = c.Write(message(t, 2, wire.OpMsg, "ping")) // fails if the connection was refused earlier
				if _, err := wire.Read(c, nil); err == nil || len(arrivals) != 0 {
					t.Errorf("a client is served, %v", err)
				}
				return
			}
			if err != nil || (<-arrivals).id != 1 {
				t.Fatal(err)
			}
			c := dial()
			send(t, c, update(t, 5, "a"))
			if got := receive(t, c); got != 5 || (<-arrivals).id != 5 {
				t.Errorf("answer %d", got)
			}
		})
	}
}

// A reset over TLS reaches the client, after the server received the command.
func TestResetsOverTLS(t *testing.T) {
	ca := newAuthority(t)
	certificate, _ := ca.pair(t, "db.test")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	arrivals := answer(t, l)
	link := dbproxy.Link{Resets: 0.5, Seed: 2}
	_, dial := start(t, dbproxy.Target{Addr: l.Addr().String(), TLS: &dbproxy.TLSOptions{ServerName: "db.test", CAFile: ca.file}}, link)
	for id := range 12 {
		m := update(t, 1, id)
		got := outcome{reset: try(t, dial(), m), arrived: len(arrivals) > 0}
		if got.arrived {
			<-arrivals
		}
		if want := outcomeOf(link.Draw(wire.Message(m).Key(), 1)); got != want {
			t.Errorf("%d: %+v, want %+v", id, got, want)
		}
	}
}

func TestInvalidTLSFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	write(t, empty, nil)
	good, arrivals := server(t)
	p, dial := start(t, good, dbproxy.Link{})
	for want, o := range map[string]dbproxy.TLSOptions{
		"read CA file": {CAFile: filepath.Join(dir, "absent.pem")},
		"want PEM":     {CAFile: empty},
		"want both":    {CertKeyFile: empty},
		"absent.pem":   {CertKeyFile: filepath.Join(dir, "absent.pem")},
	} {
		target := dbproxy.Target{Addr: "db.test:27017", TLS: &o}
		if err := p.SetTarget(target); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "db.test:27017") {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := dbproxy.Serve(t.Context(), "127.0.0.1:0", target); err == nil {
			t.Errorf("served with %+v", o)
		}
	}
	if err := p.SetTarget(dbproxy.Target{Addr: "no port", TLS: &dbproxy.TLSOptions{}}); err == nil {
		t.Error("an address without a port is taken")
	}
	send(t, dial(), message(t, 3, wire.OpMsg, "ping")) // the previous target is still used
	if got := <-arrivals; got.id != 3 {
		t.Errorf("%d arrived", got.id)
	}
}

// A target that must be on this machine is refused if its name resolves to another
// address: nothing is sent there.
func TestLoopbackGuard(t *testing.T) {
	target, arrivals := server(t)
	_, port, _ := net.SplitHostPort(target.Addr)
	for addr, allowed := range map[string]bool{
		target.Addr: true, "localhost:" + port: true,
		"0.0.0.0:" + port: false, "192.0.2.1:27017": false, "[2001:db8::1]:27017": false,
	} {
		p, dial := start(t, dbproxy.Target{Addr: addr, Loopback: true}, dbproxy.Link{})
		err := p.Check(t.Context())
		if allowed {
			if err != nil || (<-arrivals).id != 1 {
				t.Errorf("%s: %v", addr, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "not on this machine") {
			t.Errorf("%s: %v", addr, err)
		}
		if _, err := wire.Read(dial(), nil); err == nil {
			t.Errorf("%s: a client is served", addr)
		}
	}
	// Without the guard, the same address is reached.
	p, _ := start(t, dbproxy.Target{Addr: "0.0.0.0:" + port}, dbproxy.Link{})
	if err := p.Check(t.Context()); err != nil || len(arrivals) != 1 {
		t.Errorf("without the guard: %v", err)
	}
}

// Check ends with its context, even if the server does not answer.
func TestCheckEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, _ := start(t, dbproxy.Target{Addr: l.Addr().String()}, dbproxy.Link{})
	accepted := make(chan net.Conn, 1)
	ended := make(chan error, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- p.Check(ctx) }()
	silent := <-accepted
	defer silent.Close()
	cancel()
	if err := <-ended; err == nil {
		t.Error("a silent server passes the check")
	}
}

// Targets and links are sent to a child process as JSON.
func TestJSON(t *testing.T) {
	const target = `{"addr":"h:27018","tls":{"server_name":"h","ca_file":"ca.pem","cert_key_file":"ck.pem","insecure":true},"loopback":true}`
	const link = `{"latency_ns":5000000,"jitter_ns":1000,"bandwidth":1048576,"resets":0.25,"seed":18446744073709551615}`
	for text, v := range map[string]any{target: new(dbproxy.Target), link: new(dbproxy.Link)} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(v); err != nil || string(got) != text {
			t.Errorf("%s, %v, want %s", got, err, text)
		}
	}
}

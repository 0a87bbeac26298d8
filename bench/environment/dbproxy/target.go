package dbproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"floodgate/bench/environment/wire"
)

// Target is the database that a proxy leads to.
type Target struct {
	// Addr is host:port; empty means nowhere, clients are rejected.
	Addr string `json:"addr"`
	// TLS to the database; nil means none. Clients of the proxy use none either way.
	TLS *TLSOptions `json:"tls,omitempty"`
	// Loopback refuses to connect to an Addr that is, or resolves to, anything
	// but this machine.
	Loopback bool `json:"loopback,omitempty"`
}

// TLSOptions mean what the options of a connection string mean. The zero value
// is tls=true: the certificates of the system, and none of the client's own.
type TLSOptions struct {
	// ServerName that the certificate must be for; empty means the host of Addr.
	ServerName string `json:"server_name,omitempty"`
	// CAFile (tlsCAFile) holds the certificates to believe in place of the
	// system's, and CertKeyFile (tlsCertificateKeyFile) the client's certificate
	// and its key, without a passphrase; both PEM; empty means none.
	CAFile      string `json:"ca_file,omitempty"`
	CertKeyFile string `json:"cert_key_file,omitempty"`
	// Insecure (tlsInsecure) takes any certificate, for any name.
	Insecure bool `json:"insecure,omitempty"`
}

// dialTimeout bounds how long connecting to the database takes, TLS included.
const dialTimeout = 10 * time.Second

// dialer connects to a target.
type dialer struct {
	addr string
	tls  *tls.Config // nil: none
	net  net.Dialer
}

// dialer reads the files that the target names.
func (t Target) dialer() (*dialer, error) {
	d := &dialer{addr: t.Addr}
	if t.Loopback {
		d.net.Control = refuseRemote
	}
	if t.TLS == nil || t.Addr == "" {
		return d, nil
	}
	c, err := t.TLS.config(t.Addr)
	if err != nil {
		return nil, fmt.Errorf("TLS to the database %s: %w", t.Addr, err)
	}
	d.tls = c
	return d, nil
}

func (o *TLSOptions) config(addr string) (*tls.Config, error) {
	c := &tls.Config{ServerName: o.ServerName, InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		c.ServerName = host
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %q does not contain a certificate (want PEM)", o.CAFile)
		}
	}
	if o.CertKeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertKeyFile, o.CertKeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate and key file %q: %w; want both in PEM, the key without a passphrase", o.CertKeyFile, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

var errNoTarget = errors.New("connect to the database: the proxy does not have its address")

// dial connects to the target.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	if d.addr == "" {
		return nil, errNoTarget
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d.net.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if d.tls == nil {
		return conn, nil
	}
	secured := tls.Client(conn, d.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to the database %s with TLS: %w", d.addr, err)
	}
	return secured, nil
}

// check asks for an answer: a server that wants a client's certificate lets the
// handshake pass without.
func (d *dialer) check(ctx context.Context) error {
	conn, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	hello := bsoncore.NewDocumentBuilder().AppendInt32("hello", 1).AppendString("$db", "admin").Build()
	if _, err := conn.Write(wire.Request(1, hello)); err != nil {
		return fmt.Errorf("say hello to the database %s: %w", d.addr, err)
	}
	if _, err := wire.Read(conn, nil); err != nil {
		return fmt.Errorf("say hello to the database %s: no answer: %w", d.addr, err)
	}
	return nil
}

// refuseRemote returns a net.Dialer's Control: it sees the addresses that a name
// resolved to, whatever it resolves to the next time.
func refuseRemote(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("invalid address %q", address)
	}
	if !a.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not on this machine, unlike every built-in database", a)
	}
	return nil
}

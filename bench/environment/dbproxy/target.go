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

// Target is the database behind a proxy.
type Target struct {
	// Addr is host:port; empty means that clients are rejected.
	Addr string `json:"addr"`
	// TLS configures the connection to the database; nil means none. Clients of the proxy
	// never use TLS.
	TLS *TLSOptions `json:"tls,omitempty"`
	// Loopback refuses to connect to an Addr that is, or resolves to, another machine.
	Loopback bool `json:"loopback,omitempty"`
}

// TLSOptions correspond to the options of a connection string. The zero value means tls=true
// with the system's certificates and no client certificate.
type TLSOptions struct {
	// ServerName is the name in the server's certificate; empty means the host of Addr.
	ServerName string `json:"server_name,omitempty"`
	// CAFile (tlsCAFile) contains the trusted certificates instead of the system's, and
	// CertKeyFile (tlsCertificateKeyFile) the client's certificate and its key without a
	// passphrase, both in PEM format; empty means none.
	CAFile      string `json:"ca_file,omitempty"`
	CertKeyFile string `json:"cert_key_file,omitempty"`
	// Insecure (tlsInsecure) accepts any certificate for any name.
	Insecure bool `json:"insecure,omitempty"`
}

// dialTimeout bounds the time to connect to the database, including TLS.
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

// check requires an answer to a hello, because a server that requires a client certificate
// completes the TLS handshake without one.
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

// refuseRemote is the Control of a net.Dialer. It checks the address to which the name has
// actually been resolved.
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

package target

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// Mongo is a parsed connection string. It is immutable.
type Mongo struct {
	srv      bool
	userinfo string // as written, escaped; empty means none
	hosts    []string
	database string // escaped
	options  []option
	parsed   *connstring.ConnString
}

// option is an option of a connection string, as written.
type option struct{ name, value string }

// is reports whether the option has one of the names, which are in lower case.
func (o option) is(names ...string) bool { return slices.Contains(names, strings.ToLower(o.name)) }

const (
	mongoScheme  = "mongodb://"
	srvScheme    = "mongodb+srv://"
	mongoPort    = "27017"
	mongoExample = "mongodb://user:password@host:27017/?tls=true"
)

// URI returns the connection string for clients, with the options as they were written.
// It contains the credentials.
func (m *Mongo) URI() string {
	scheme, hosts := mongoScheme, strings.Join(m.hosts, ",")
	if m.srv {
		scheme = srvScheme
	}
	return m.build(scheme, hosts, m.options)
}

func (m *Mongo) build(scheme, hosts string, options []option) string {
	b := new(strings.Builder)
	b.WriteString(scheme)
	if m.userinfo != "" {
		b.WriteString(m.userinfo + "@")
	}
	b.WriteString(hosts + "/" + m.database)
	for i, o := range options {
		separator := "&"
		if i == 0 {
			separator = "?"
		}
		b.WriteString(separator + o.name + "=" + o.value)
	}
	return b.String()
}

// Hosts returns the servers in the string, as host:port, or the name whose servers DNS
// lists (mongodb+srv).
func (m *Mongo) Hosts() []string { return slices.Clone(m.hosts) }

// Redacted returns the string without credentials and options, for display.
func (m *Mongo) Redacted() string {
	shown := &Mongo{srv: m.srv, hosts: m.hosts, database: m.database}
	if m.userinfo != "" {
		shown.userinfo = "***"
	}
	return shown.URI()
}

// String returns Redacted.
func (m *Mongo) String() string { return m.Redacted() }

// GoString returns Redacted, so that no verb of package fmt prints more.
func (m *Mongo) GoString() string { return m.Redacted() }

// Secrets returns the strings that must not appear in any output: the password, as it was
// written and unescaped, user and password together, the properties of the authentication
// mechanism, and the passphrase of the client's key. It is empty if there are none.
func (m *Mongo) Secrets() []string {
	var secrets []string
	if m.parsed.Password != "" {
		_, written, _ := strings.Cut(m.userinfo, ":")
		secrets = append(secrets, m.parsed.Password, written, m.userinfo, m.parsed.Username+":"+m.parsed.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(m.parsed.AuthMechanismProperties)) {
		secrets = append(secrets, m.parsed.AuthMechanismProperties[name])
	}
	if passphrase := m.parsed.SSLClientCertificateKeyPassword; passphrase != nil {
		secrets = append(secrets, passphrase())
	}
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

const notRetried = "writes are not retried, so that each failure is counted"

// Overridden returns a note for each option of the connection string that the
// built-in pipeline sets itself, whatever its value here. All other options, such as
// w, journal, maxConnecting, maxIdleTimeMS and compressors, are used as they are.
func (m *Mongo) Overridden() []string {
	var notes []string
	for _, o := range m.options {
		var why string
		switch {
		case o.is("maxpoolsize"):
			why = "each variant sets the pool: its limit, writers or connections.max_pool_size"
		case o.is("minpoolsize"):
			why = "every trial starts with an empty pool"
		case o.is("retrywrites") && m.parsed.RetryWritesSet && m.parsed.RetryWrites:
			why = notRetried
		case o.is("maxadaptiveretries") && m.parsed.MaxAdaptiveRetries > 0:
			why = notRetried
		case o.is("timeoutms"):
			why = "sut.write_timeout bounds each write"
		default:
			continue
		}
		notes = append(notes, fmt.Sprintf("%s=%s of the connection string is ignored: %s", o.name, o.value, why))
	}
	return notes
}

// ViaProxy returns the URI of the database behind a plain proxy on addr, which connects to
// one server, and with TLS if [Mongo.TLS] is not nil. The URI keeps the credentials, the
// database, the write concern, and the other options that do not select servers.
func (m *Mongo) ViaProxy(addr netip.AddrPort) string {
	var kept []option
	for _, o := range m.options {
		name := strings.ToLower(o.name)
		if !strings.HasPrefix(name, "tls") && !strings.HasPrefix(name, "ssl") && !strings.HasPrefix(name, "readpreference") &&
			!o.is("replicaset", "directconnection", "connect", "srvservicename", "localthresholdms", "maxstaleness", "maxstalenessseconds") {
			kept = append(kept, o)
		}
	}
	if !m.parsed.LoadBalanced {
		kept = append(kept, option{"directConnection", "true"})
	}
	return m.build(mongoScheme, addr.String(), kept)
}

// TLS configures the TLS of a client, in addition to the certificates of the system.
type TLS struct {
	// ServerName is the name that the certificate must have; empty means the dialed host.
	ServerName string `json:"server_name,omitempty"`
	// CAFile holds the trusted certificates, in place of the system's, and CertKeyFile
	// the client's own certificate and key, both in PEM; empty means none.
	CAFile      string `json:"ca_file,omitempty"`
	CertKeyFile string `json:"cert_key_file,omitempty"`
	// Insecure disables the check of the server's certificate.
	Insecure bool `json:"insecure,omitempty"`
}

// TLS returns the configuration of the connection string; nil means no TLS.
func (m *Mongo) TLS() *TLS {
	p := m.parsed
	if !p.SSL {
		return nil
	}
	return &TLS{CAFile: p.SSLCaFile, CertKeyFile: p.SSLClientCertificateKeyFile, Insecure: p.SSLInsecure}
}

// Proxyable returns the reason why [Mongo.ViaProxy] cannot be used for this database; nil
// means that it can.
func (m *Mongo) Proxyable() error {
	p := m.parsed
	switch {
	case p.SSL && p.SSLClientCertificateKeyPassword != nil:
		return errors.New("a key with a passphrase (tlsCertificateKeyFilePassword) cannot be used with added delays or faults of the database: decrypt the key, or remove the scenario's database.latency, jitter, bandwidth and resets")
	case p.SSL && p.SSLCertificateFile != "":
		return errors.New("tlsCertificateFile and tlsPrivateKeyFile cannot be used with added delays or faults of the database: put both into one file and set tlsCertificateKeyFile to it")
	}
	return nil
}

// splitHost checks one host of a connection string and adds the default port.
func splitHost(written string) (string, error) {
	unescaped, err := url.PathUnescape(written)
	if err != nil {
		return "", errHost
	}
	if strings.Contains(unescaped, "/") || strings.HasSuffix(unescaped, ".sock") {
		return "", errors.New("mongo URI: Unix sockets are not supported; want host:port")
	}
	host, port, err := net.SplitHostPort(unescaped)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(unescaped, "["), "]"), mongoPort
	}
	if a, err := netip.ParseAddr(host); err != nil && !validHost(host) || err == nil && a.Zone() != "" {
		return "", errHost
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errHost
	}
	return net.JoinHostPort(host, port), nil
}

var (
	errHost     = fmt.Errorf("mongo URI: a host is malformed; want host:port, as in %s", mongoExample)
	errUserinfo = errors.New("mongo URI: user name and password need percent-encoding: %40 for @, %3A for :, %2F for /, %25 for %")
)

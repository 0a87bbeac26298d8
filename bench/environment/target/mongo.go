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

// Mongo is a connection string that was read. It does not change.
type Mongo struct {
	srv      bool
	userinfo string // as it was written, escaped; empty means none
	hosts    []string
	database string // escaped
	options  []option
	parsed   *connstring.ConnString
}

// option is one of a connection string, as it was written.
type option struct{ name, value string }

// is compares with a name in lower case.
func (o option) is(names ...string) bool { return slices.Contains(names, strings.ToLower(o.name)) }

const (
	mongoScheme  = "mongodb://"
	srvScheme    = "mongodb+srv://"
	mongoPort    = "27017"
	mongoExample = "mongodb://user:password@host:27017/?tls=true"
)

// URI returns the connection string for clients: the one that was read, with what a
// [Mongo] may hold left as it was. It holds the credentials.
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

// Hosts returns the servers that the string names, as host:port, or the name of
// the service where the servers are to be asked of DNS (mongodb+srv).
func (m *Mongo) Hosts() []string { return slices.Clone(m.hosts) }

// Redacted returns the string without credentials and options, for people to read.
func (m *Mongo) Redacted() string {
	shown := &Mongo{srv: m.srv, hosts: m.hosts, database: m.database}
	if m.userinfo != "" {
		shown.userinfo = "***"
	}
	return shown.URI()
}

// String returns Redacted.
func (m *Mongo) String() string { return m.Redacted() }

// GoString returns Redacted, so that no form of print shows more.
func (m *Mongo) GoString() string { return m.Redacted() }

// Secrets returns what no text may show: the password as it was written and as it
// is, user and password together, the session token, and the passphrase of a
// key. Empty where there are none.
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

// ViaProxy returns the URI by which a client reaches the database through a plain
// proxy on addr, which connects to one server, with TLS where [Mongo.TLS] says
// so: credentials, database, write concern and what else is not about the way
// to the servers stay.
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

// TLS is what a client needs to connect with TLS, beside the certificates of
// the system.
type TLS struct {
	// ServerName that the certificate must be for; empty means the host dialled.
	ServerName string `json:"server_name,omitempty"`
	// CAFile holds the certificates to believe in place of the system's, and
	// CertKeyFile the client's own certificate and key, both PEM; empty means none.
	CAFile      string `json:"ca_file,omitempty"`
	CertKeyFile string `json:"cert_key_file,omitempty"`
	// Insecure: the server's certificate is not checked at all.
	Insecure bool `json:"insecure,omitempty"`
}

// TLS returns nil where the connection string asks for none.
func (m *Mongo) TLS() *TLS {
	p := m.parsed
	if !p.SSL {
		return nil
	}
	return &TLS{CAFile: p.SSLCaFile, CertKeyFile: p.SSLClientCertificateKeyFile, Insecure: p.SSLInsecure}
}

// Proxyable returns the reason why [Mongo.ViaProxy] would not do for this database; nil means it does.
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

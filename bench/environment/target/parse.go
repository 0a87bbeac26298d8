package target

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// ParseMongo parses a connection string, mongodb:// or mongodb+srv://, without using the
// network. It refuses options that the driver would ignore, that would invalidate a
// measurement, or that would connect to servers other than the named ones. Errors do not
// quote the string.
func ParseMongo(uri string) (*Mongo, error) {
	m := new(Mongo)
	rest, ok := strings.CutPrefix(uri, mongoScheme)
	if !ok {
		rest, m.srv = strings.CutPrefix(uri, srvScheme)
	}
	if !ok && !m.srv {
		return nil, fmt.Errorf("mongo URI: want mongodb:// or mongodb+srv://, as in %s", mongoExample)
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, errors.New("mongo URI: it has spaces or control characters, which need percent-encoding")
	}
	rest, err := m.parseUserinfo(rest)
	if err != nil {
		return nil, err
	}
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(authority, "?") {
		return nil, errors.New("mongo URI: the / before the ? of the options is missing")
	}
	if err := m.parseHosts(authority); err != nil {
		return nil, err
	}
	database, query, _ := strings.Cut(path, "?")
	if name, err := url.PathUnescape(database); err != nil || strings.ContainsAny(name, `/\. "$`) {
		return nil, errors.New("mongo URI: the database's name is malformed")
	}
	m.database = database
	if err := m.parseOptions(query); err != nil {
		return nil, err
	}
	if err := m.interpret(); err != nil {
		return nil, err
	}
	return m, nil
}

// parseUserinfo sets the credentials from the start of rest, the string without its
// scheme, and returns what follows them. Like the driver, it ends them at the first @.
func (m *Mongo) parseUserinfo(rest string) (string, error) {
	info, after, found := strings.Cut(rest, "@")
	if !found {
		return rest, nil
	}
	user, password, _ := strings.Cut(info, ":")
	for _, part := range []string{user, password} {
		if _, err := url.PathUnescape(part); err != nil || strings.ContainsAny(part, ":/?#[]") {
			return "", errUserinfo
		}
	}
	if user == "" || strings.Contains(after, "@") {
		return "", errUserinfo
	}
	m.userinfo = info
	return after, nil
}

func (m *Mongo) parseHosts(authority string) error {
	if m.srv {
		if !validHost(authority) {
			return errors.New("mongo URI: mongodb+srv:// requires a single host name without a port")
		}
		m.hosts = []string{authority}
		return nil
	}
	for written := range strings.SplitSeq(authority, ",") {
		host, err := splitHost(written)
		if err != nil {
			return err
		}
		m.hosts = append(m.hosts, host)
	}
	return nil
}

// parseOptions checks each option separately, so that an error can name it.
func (m *Mongo) parseOptions(query string) error {
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		o := option{name, value}
		if !found || name == "" {
			return fmt.Errorf("mongo URI: option %d is not of the form name=value", i+1)
		}
		switch {
		case o.is("srvmaxhosts"):
			return errors.New("mongo URI: srvMaxHosts chooses servers at random, so runs would not be comparable; omit it")
		case o.is("srvservicename") && (!m.srv || !validHost(value)):
			return errors.New("mongo URI: option srvServiceName must be the name of a service and applies only to mongodb+srv://")
		case o.is("srvservicename"):
			m.options = append(m.options, o)
			continue
		}
		parsed, err := connstring.Parse(mongoScheme + "localhost/?" + pair)
		switch {
		case err != nil && knownOption(name):
			return fmt.Errorf("mongo URI: the value of option %s is invalid", name)
		case err != nil || len(parsed.UnknownOptions) > 0:
			return fmt.Errorf("mongo URI: option %d is unknown to the MongoDB driver for Go, which would ignore it", i+1)
		}
		m.options = append(m.options, o)
	}
	return nil
}

// knownOption reports whether the driver knows an option of that name.
func knownOption(name string) bool {
	for _, value := range []string{"1", "true", "a:b", "automatic", "auto", "PLAIN"} {
		parsed, err := connstring.Parse(mongoScheme + "localhost/?" + name + "=" + value)
		if err == nil {
			return len(parsed.UnknownOptions) == 0
		}
	}
	return false
}

// interpret lets the driver parse the string, with the hosts as they are, without SRV.
func (m *Mongo) interpret() error {
	plain := *m
	plain.srv = false
	plain.options = nil
	secured := false
	for _, o := range m.options {
		secured = secured || o.is("tls", "ssl")
		if !o.is("srvservicename") {
			plain.options = append(plain.options, o)
		}
	}
	if m.srv && !secured {
		plain.options = append(plain.options, option{"tls", "true"})
	}
	parsed, err := connstring.ParseAndValidate(plain.URI())
	if err != nil {
		return errors.New("mongo URI: its options contradict each other or the credentials: see https://www.mongodb.com/docs/manual/reference/connection-string-options/")
	}
	m.parsed = parsed
	return m.checkMeaning()
}

// checkMeaning refuses options that are valid but unsuitable for a measurement.
func (m *Mongo) checkMeaning() error {
	p := m.parsed
	switch mechanism := strings.ToUpper(p.AuthMechanism); {
	case p.WNumberSet && p.WNumber == 0:
		return errors.New("mongo URI: with w=0 the server does not acknowledge writes, so they could not be counted")
	case m.srv && (p.DirectConnection || p.Connect == connstring.SingleConnect):
		return errors.New("mongo URI: a direct connection cannot be made with mongodb+srv://")
	case mechanism == "MONGODB-OIDC" || mechanism == "GSSAPI" || mechanism == "MONGODB-AWS" && p.Password == "":
		return fmt.Errorf("mongo URI: authMechanism %s requires servers other than the database, to which a run does not connect", mechanism)
	}
	return nil
}

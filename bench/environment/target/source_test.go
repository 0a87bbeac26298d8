package target_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/bench/environment/target"
)

func TestSource(t *testing.T) {
	const secret, open = "mongodb://u:QZXWK@h/", "mongodb://h/"
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", " "+secret+"\r\n")
	for _, c := range []struct {
		name, flag, env, file, stdin string
		uri, want                    string // error of Read
	}{
		{name: "nothing"},
		{name: "flag", flag: open, uri: open},
		{name: "flag with a user alone", flag: "mongodb://u@h/?authMechanism=MONGODB-X509&tls=true", uri: "mongodb://u@h/?authMechanism=MONGODB-X509&tls=true"},
		{name: "environment", env: secret, uri: secret},
		{name: "file", file: good, uri: secret},
		{name: "file with a byte-order mark", file: file("mark", "\uFEFF"+secret+"\r\n"), uri: secret},
		{name: "standard input", file: "-", stdin: secret + "\n", uri: secret},
		{name: "flag with a password", flag: secret, want: "command lines are visible"},
		{name: "flag with a token", flag: "https://QZXWK@h/", want: "FLOODGATE_TEST_URI"},
		{name: "flag with a passphrase", flag: "mongodb://h/?tls=true&tlsCertificateKeyFile=/k&tlsCertificateKeyFilePassword=QZXWK", want: "--test-uri-file FILE"},
		{name: "flag with a malformed password", flag: "mongodb://u:QZ@XWK@h", want: "contains a password"},
		{name: "flag and environment", flag: open, env: secret, want: "use only one of them (got 2)"},
		{name: "all three", flag: open, env: secret, file: good, want: "use only one of them (got 3)"},
		{name: "no file", file: filepath.Join(dir, "none"), want: "--test-uri-file"},
		{name: "empty file", file: file("empty", "\n"), want: "it is empty"},
		{name: "two lines", file: file("two", secret+"\n"+secret), want: "more than one line"},
		{name: "long", file: file("long", strings.Repeat("QZXWK", 20_000)), want: "longer than"},
		{name: "empty input", file: "-", want: "it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("FLOODGATE_TEST_URI", c.env)
			s := target.Source{Flag: "--test-uri", Value: c.flag, File: c.file, Env: "FLOODGATE_TEST_URI", Stdin: strings.NewReader(c.stdin)}
			uri, err := s.Read()
			if uri != c.uri || (err == nil) != (c.want == "") {
				t.Errorf("%q, %v; want %q, %q", uri, err, c.uri, c.want)
			}
			if err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "XWK")) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, there := os.LookupEnv("FLOODGATE_TEST_URI"); there {
				t.Error("children would inherit the variable")
			}
		})
	}
	if _, err := (target.Source{Flag: "--test-uri", Env: "FLOODGATE_TEST_URI", File: "-"}).Read(); err == nil {
		t.Error("no standard input, and no error")
	}
}

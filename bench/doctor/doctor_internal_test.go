package doctor

import (
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree returns a root folder with the files.
func tree(files map[string]string) fstest.MapFS {
	t := fstest.MapFS{}
	for name, text := range files {
		t[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return t
}

// expect checks the status of a check, and that its finding, or its advice below,
// contains the words.
func expect(t *testing.T, c Check, status Status, words ...string) {
	t.Helper()
	if c.Status != status {
		t.Errorf("%s: %s (%s), want %s", c.Name, c.Status, c.Found, status)
	}
	for _, w := range words {
		if !strings.Contains(c.Found+"\n"+c.Advice, w) {
			t.Errorf("%s: %q, %q: want %q in it", c.Name, c.Found, c.Advice, w)
		}
	}
	wellFormed(t, c)
}

func wellFormed(t *testing.T, c Check) {
	t.Helper()
	if c.Name == "" || c.Found == "" || (c.Status == OK) != (c.Advice == "") {
		t.Errorf("%+v: a check must have a name, a finding and, unless it is ok, advice", c)
	}
}

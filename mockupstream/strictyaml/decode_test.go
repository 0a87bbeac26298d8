package strictyaml_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"floodgate/mockupstream/strictyaml"
	"pgregory.net/rapid"
)

type config struct {
	Name   string  `yaml:"name"`
	Count  int     `yaml:"count,omitempty"`
	Seed   uint64  `yaml:"seed"`
	Small  int8    `yaml:"small"`
	Share  float64 `yaml:"share"`
	On     bool    `yaml:"on"`
	Level  level   `yaml:"level"`
	Inner  *inner  `yaml:"inner"`
	List   []inner `yaml:"list"`
	hidden int     `yaml:"hidden"` // nolint
	Skip   int     `yaml:"-"`
}

type inner struct {
	Values []float64 `yaml:"values"`
}

type level int

func (l *level) UnmarshalText(text []byte) error {
	for i, name := range []string{"low", "high"} {
		if string(text) == name {
			*l = level(i)
			return nil
		}
	}
	return fmt.Errorf("bad level %q; allowed: low, high", text)
}

func TestDecode(t *testing.T) {
	src := `
name: "a # b"
count: 1_000
seed: 18446744073709551615
small: -128
share: 1e-3
on: true
level: high
inner:
  values: [1, 2.5,
    3]
list:
  - values: []
  - {values: [4]}
`
	var got config
	if _, err := strictyaml.Decode("c.yaml", []byte(src), &got); err != nil {
		t.Fatal(err)
	}
	want := config{
		Name: "a # b", Count: 1000, Seed: 1<<64 - 1, Small: -128, Share: 0.001, On: true, Level: 1,
		Inner: &inner{Values: []float64{1, 2.5, 3}}, List: []inner{{Values: []float64{}}, {Values: []float64{4}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for src, want := range map[string]string{
		"nmae: x":                    `c.yaml:1:1: nmae: unknown key "nmae"; allowed: name, count, seed, small, share, on, level, inner, list; did you mean "name"?`,
		"hidden: 1":                  `unknown key "hidden"`,
		"Skip: 1":                    `unknown key "Skip"`,
		"name: a\nname: b":           `c.yaml:2:1: `,
		"count: 1.0":                 `c.yaml:1:8: count: "1.0"; allowed: a whole number`,
		"count: '1'":                 `"1"; allowed: a whole number`,
		"count: |\n  1":              `allowed: a whole number`,
		"seed: -1":                   `seed: "-1"; allowed: a whole number, 0 or more`,
		"small: 128":                 `small: "128"; allowed: a whole number`,
		"count: 010":                 `c.yaml:1:8: count: 010 has a leading zero, which could mean octal; write 10`,
		"seed: 00":                   `c.yaml:1:7: seed: 00 has a leading zero, which could mean octal; write 0`,
		"small: -08":                 `small: -08 has a leading zero, which could mean octal; write -8`,
		"share: 00.5":                `share: 00.5 has a leading zero, which could mean octal; write 0.5`,
		"list: [{values: [1, 010]}]": `c.yaml:1:21: list[0].values[1]: 010 has a leading zero`,
		"\xFF\xFEn\x00":              `c.yaml:1:1: the file is encoded as UTF-16; save it as UTF-8`,
		"# a\r\n# b\r\nnmae: x":      `c.yaml:3:1: nmae: unknown key`,
		"\uFEFFnmae: x":              `c.yaml:1:1: nmae: unknown key "nmae"`,
		"share: .inf":                `share: ".inf"; allowed: a number`,
		"on: yes":                    `on: "yes"; allowed: true or false`,
		"on: 1":                      `on: "1"; allowed: true or false`,
		"level: mid":                 `c.yaml:1:8: level: bad level "mid"; allowed: low, high`,
		"name: [x]":                  `name: a list; allowed: text`,
		"name: ~":                    `name: no value; allowed: text`,
		"inner: 3":                   `inner: "3"; allowed: a mapping with the keys values`,
		"list: {values: [1]}":        `list: a mapping; allowed: a list`,
		"list: [{values: 3}]":        `list[0].values: "3"; allowed: a list`,
		"[1]: 2":                     `c.yaml:1:4: not YAML: found an invalid key for this map`,
		"- 1":                        `c.yaml:1:1: a list; allowed: a mapping`,
		"name: *x":                   `c.yaml:1:`,
		"inner: &i\n  values:":       `anchors, aliases and tags are not allowed`,
		"name: !!str x":              `anchors, aliases and tags are not allowed`,
		"<<: {name: x}":              `c.yaml:1:`,
		"a: b: c":                    `c.yaml:1:`,
		"name: x\n\tcount: 1":        `c.yaml:`,
		"name: x\nname: y":           `c.yaml:2:1: mapping key "name" already defined`,
		"name:\n\tcount: 1":          `c.yaml:2:1: not YAML: found character`,
	} {
		var c config
		if _, err := strictyaml.Decode("c.yaml", []byte(src), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\ngot  %v\nwant %s", src, err, want)
		}
	}
}

// A number with a leading zero is text where text is wanted.
func TestZerosInText(t *testing.T) {
	var c config
	if _, err := strictyaml.Decode("c.yaml", []byte("name: 010\ncount: 0x10\nseed: 0o10\nsmall: +5\n"), &c); err != nil || c.Name != "010" || c.Count != 16 || c.Seed != 8 || c.Small != 5 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	var c config
	_, err := strictyaml.Decode("c.yaml", []byte("count: x\nlist:\n  - vals: 1\n  - values: [a, 1]\n"), &c)
	if err == nil || strings.Count(err.Error(), "c.yaml:") != 3 {
		t.Errorf("want 3 errors, got %v", err)
	}
}

type fieldError string

func (e fieldError) Error() string     { return string(e) + " is wrong" }
func (e fieldError) FieldPath() string { return string(e) }

func TestLocate(t *testing.T) {
	var c config
	doc, err := strictyaml.Decode("c.yaml", []byte("name: x\nlist:\n- values: [1]\n- values: [2,\n   3]\n"), &c)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"name":              "c.yaml:1:1: name is wrong",
		"count":             "c.yaml: count is wrong",
		"list":              "c.yaml:2:1: list is wrong",
		"list[1]":           "c.yaml:4:3: list[1] is wrong",
		"list[1].values[1]": "c.yaml:5:4: list[1].values[1] is wrong",
		"list[1].none[7]":   "c.yaml:4:3: list[1].none[7] is wrong",
		"list[9].values":    "c.yaml:2:1: list[9].values is wrong",
	} {
		if got := doc.Locate(fieldError(path)); got.Error() != want || !errors.Is(got, fieldError(path)) {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]bool{"name": true, "list[1].values": true, "count": false, "list[2]": false} {
		if doc.Has(path) != want {
			t.Errorf("has %s: %v", path, !want)
		}
	}
	plain := errors.New("plain")
	if got := doc.Locate(errors.Join(plain, fieldError("name"))); got.Error() != "plain\nc.yaml:1:1: name is wrong" {
		t.Errorf("joined: %q", got)
	}
	if doc.Locate(nil) != nil {
		t.Error("nil is located")
	}
}

// JSON is YAML: what encoding/json writes is read as it was.
func TestDecodesJSON(t *testing.T) {
	type plain struct {
		Text  string    `yaml:"text" json:"text"`
		N     int64     `yaml:"n" json:"n"`
		U     uint64    `yaml:"u" json:"u"`
		X     float64   `yaml:"x" json:"x"`
		On    bool      `yaml:"on" json:"on"`
		Words []string  `yaml:"words" json:"words"`
		Xs    []float32 `yaml:"xs" json:"xs"`
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ -~äß\n\t]{0,12}`)
		in := plain{
			word.Draw(t, "text"), rapid.Int64().Draw(t, "n"), rapid.Uint64().Draw(t, "u"), rapid.Float64().Draw(t, "x"),
			rapid.Bool().Draw(t, "on"), rapid.SliceOf(word).Draw(t, "words"), rapid.SliceOf(rapid.Float32()).Draw(t, "xs"),
		}
		src, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out plain
		if _, err := strictyaml.Decode("x", src, &out); err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("%+v\nbecame\n%s\nbecame\n%+v: %v", in, src, out, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: a\nlist:\n- values: [1, 2]\n"))
	f.Add([]byte("inner: {values: [.inf]}\nlevel: high\n? a\n: b\n"))
	f.Add([]byte("name: |\n  text\nseed: 0x1F\n---\n"))
	f.Add([]byte("\uFEFF# c\r\nname: a\r\nlist:\r\n- values: [010]\r\n"))
	f.Add([]byte("name: {\n}}\n"))
	f.Add([]byte("}"))
	f.Add([]byte("\xFF\xFEn\x00"))
	f.Fuzz(func(t *testing.T, src []byte) {
		var c config
		doc, err := strictyaml.Decode("f", src, &c)
		if err == nil {
			_ = doc.Locate(fieldError("list[0].values"))
		} else if !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("error without file: %v", err)
		}
		if text := string(src); utf8.Valid(src) && !strings.ContainsAny(text, "\r\x00") {
			var again config
			_, err2 := strictyaml.Decode("f", []byte("\uFEFF"+strings.ReplaceAll(text, "\n", "\r\n")), &again)
			if fmt.Sprint(err) != fmt.Sprint(err2) || err == nil && !reflect.DeepEqual(c, again) {
				t.Fatalf("%+v, %v\nwith CRLF and a byte-order mark %+v, %v", c, err, again, err2)
			}
		}
	})
}

package strictyaml_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/mockupstream/strictyaml"
	"pgregory.net/rapid"
)

type config struct {
	Name   string         `yaml:"name,omitempty"`
	Count  int            `yaml:"count,omitempty"`
	Seed   uint64         `yaml:"seed,omitempty"`
	Small  int8           `yaml:"small,omitempty"`
	Share  float64        `yaml:"share,omitempty"`
	On     bool           `yaml:"on,omitempty"`
	Level  level          `yaml:"level,omitempty"`
	Inner  *inner         `yaml:"inner,omitempty"`
	List   []inner        `yaml:"list,omitempty"`
	Pair   pair           `yaml:"pair,omitempty"`
	Free   map[string]any `yaml:"free,omitempty"`
	hidden int            `yaml:"hidden"` // nolint
	Skip   int            `yaml:"-"`
}

type pair struct {
	First  int `yaml:"first,short"`
	Second int `yaml:"second,omitempty"`
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
	return strictyaml.Wrong(string(text), "must be low or high")
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
	if _, err := strictyaml.Decode("c.yaml", []byte(src), &got, nil); err != nil {
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
		"nmae: x": `c.yaml:1:1: unknown key "nmae" (did you mean "name"? want name, count, seed, small, share, on, level, inner, list, pair or free)`,
		"level: low\ninner: {level: high, values: [1]}": `c.yaml:2:9: inner: unknown key "level", which belongs at the top level of the file (want values)`,
		"inner: {count: 3, values: [1]}":                `inner: unknown key "count", which belongs at the top level of the file (want values)`,
		"hidden: 1":                                     `unknown key "hidden"`,
		"Skip: 1":                                       `unknown key "Skip"`,
		"name: a\nname: b":                              `c.yaml:2:1: repeats key "name", first on line 1`,
		"count: 1.5":                                    `c.yaml:1:8: count: must be a whole number (got 1.5)`,
		"count: '1'":                                    `count: must be a whole number (got "1")`,
		"count: |\n  1":                                 `count: must be a whole number (got "1")`,
		"seed: -1":                                      `seed: must be a whole number from 0 to 18446744073709551615 (got -1)`,
		"small: 128":                                    `small: must be a whole number (got 128)`,
		"count: 010":                                    `c.yaml:1:8: count: 010 has a leading zero, which could mean octal; write 10`,
		"seed: 00":                                      `c.yaml:1:7: seed: 00 has a leading zero, which could mean octal; write 0`,
		"small: -08":                                    `small: -08 has a leading zero, which could mean octal; write -8`,
		"share: 00.5":                                   `share: 00.5 has a leading zero, which could mean octal; write 0.5`,
		"list: [{values: [1, 010]}]":                    `c.yaml:1:21: list[0].values[1]: 010 has a leading zero`,
		"\xFF\xFEn\x00":                                 `c.yaml:1:1: the file is encoded as UTF-16; save it as UTF-8`,
		"# a\r\n# b\r\nnmae: x":                         `c.yaml:3:1: unknown key`,
		"\uFEFFnmae: x":                                 `c.yaml:1:1: unknown key "nmae"`,
		"share: .inf":                                   `share: must be a number (got +Inf)`,
		"on: yes":                                       `on: must be true or false (got "yes")`,
		"on: 1":                                         `on: must be true or false (got 1)`,
		"level: mid":                                    `c.yaml:1:8: level: must be low or high (got "mid")`,
		"level: [low]":                                  `level: must be low or high (got a list)`,
		"name: [x]":                                     `name: must be text (got a list)`,
		"name: 10":                                      `name: must be text; quote it if it is meant as text (got 10)`,
		"name: 010":                                     `name: must be text; quote it if it is meant as text (got 010)`,
		"name: ~":                                       `name: has no value; it must be text`,
		"inner: 3":                                      `inner: must be a mapping with values (got 3)`,
		"inner: {}":                                     `c.yaml:1:8: inner.values: missing; it must be a list`,
		"pair: x":                                       `pair: must be a whole number (got "x")`,
		"pair: [1]":                                     `pair: must be a whole number, or a mapping with first or second (got a list)`,
		"free: {a: {}}":                                 `free.a: must be a value or a list of values (got a mapping)`,
		"free: {a: [1, [2]]}":                           `free.a[1]: must be one value (got a list)`,
		"free: {}":                                      `free: must have at least one entry`,
		"list: {values: [1]}":                           `list: must be a list (got a mapping)`,
		"list: [{values: 3}]":                           `list[0].values: must be a list (got 3)`,
		"[1]: 2":                                        `c.yaml:1:4: not YAML: found an invalid key for this map`,
		"- 1":                                           `c.yaml:1:1: the file must be a mapping with name, count`,
		"":                                              `c.yaml:1:1: the file is empty (want name, count`,
		"name: x\n---\nname: y":                         `c.yaml:3:1: a file holds one document, and another begins here`,
		"name: *x":                                      `c.yaml:1:`,
		"inner: &i\n  values:":                          `anchors and aliases are not supported; write the value out`,
		"name: !!str x":                                 `tags such as "!!str" are not supported; write the value alone`,
		"<<: {name: x}":                                 `c.yaml:1:`,
		"a: b: c":                                       `c.yaml:1:`,
		"name: x\n\tcount: 1":                           `c.yaml:`,
		"name:\n\tcount: 1":                             `c.yaml:2:1: not YAML: found character`,
	} {
		var c config
		if _, err := strictyaml.Decode("c.yaml", []byte(src), &c, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\ngot  %v\nwant %s", src, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	var c config
	if _, err := strictyaml.Decode("c.yaml", []byte("count: 0x10\nseed: 0o10\nsmall: +5\nshare: 1e20\npair: 1.0\n"), &c, nil); err != nil ||
		c.Count != 16 || c.Seed != 8 || c.Small != 5 || c.Share != 1e20 || c.Pair.First != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFreeValues(t *testing.T) {
	var c config
	_, err := strictyaml.Decode("c.yaml", []byte("free: {a: 1, b: [x, 2.5, true]}\n"), &c, nil)
	want := map[string]any{"a": int64(1), "b": []any{"x", 2.5, true}}
	if err != nil || !reflect.DeepEqual(c.Free, want) {
		t.Errorf("%v, %v, want %v", c.Free, err, want)
	}
}

// Rules restrict the values that the types allow.
func TestRules(t *testing.T) {
	rules := func(_ reflect.Type, field reflect.StructField) strictyaml.Rule {
		return map[string]strictyaml.Rule{
			"Name":  {OneOf: []string{"one", "two", "10"}},
			"Count": {Range: &strictyaml.Range{Min: 1, Max: 10}},
			"Share": {Valid: func(v any) bool { return v.(float64) != 0.5 }, Want: "anything but a half"},
			"List":  {NonEmpty: true},
		}[field.Name]
	}
	for src, want := range map[string]string{
		"name: tow":  `c.yaml:1:7: name: must be one, two or 10 (got "tow"; did you mean "two"?)`,
		"name: 10":   `c.yaml:1:7: name: must be one, two or 10; quote it if it is meant as text (got 10)`,
		"name: true": `c.yaml:1:7: name: must be one, two or 10 (got true)`,
		"count: 11":  `c.yaml:1:8: count: must be a whole number from 1 to 10 (got 11)`,
		"count: x":   `c.yaml:1:8: count: must be a whole number from 1 to 10 (got "x")`,
		"share: 0.5": `c.yaml:1:8: share: must be anything but a half (got 0.5)`,
		"list: []":   `c.yaml:1:7: list: must have at least one entry`,
	} {
		_, err := strictyaml.Decode("c.yaml", []byte(src), new(config), rules)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", src, err, want)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	var c config
	_, err := strictyaml.Decode("c.yaml", []byte("count: x\nlist:\n  - vals: 1\n  - values: [a, 1]\n"), &c, nil)
	if err == nil || strings.Count(err.Error(), "c.yaml:") != 3 {
		t.Errorf("want 3 errors, got %v", err)
	}
}

func TestReport(t *testing.T) {
	src := []byte("name: x\nlist:\n- values: [1]\n- values: [2,\n   3]\ncount: many\n")
	cause := errors.New("why")
	for path, want := range map[string]string{
		"name":              "c.yaml:1:7: name: is wrong (got 7)",
		"seed":              "c.yaml:1:1: seed: is wrong (got 7)",
		"list":              "c.yaml:3:1: list: is wrong (got 7)",
		"list[1]":           "c.yaml:4:3: list[1]: is wrong (got 7)",
		"list[1].values[1]": "c.yaml:5:4: list[1].values[1]: is wrong (got 7)",
		"list[1].none[7]":   "c.yaml:4:3: list[1].none[7]: is wrong (got 7)",
		"list[9].values":    "c.yaml:3:1: list[9].values: is wrong (got 7)",
		"count":             "", // already reported by the decoder
		"count.of":          "",
	} {
		var c config
		doc, err := strictyaml.Decode("c.yaml", src, &c, nil)
		before := err.Error()
		wrong := &strictyaml.Error{Path: path, Value: "7", Reason: "is wrong", Err: cause}
		doc.Report(errors.Join(nil, errors.Join(wrong)))
		switch got := doc.Err(); {
		case want == "" && got.Error() != before:
			t.Errorf("%s: got %q, want nothing new", path, got)
		case want != "" && (!strings.Contains(got.Error(), want) || !errors.Is(got, cause) || wrong.File != ""):
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	var c config
	doc, _ := strictyaml.Decode("c.yaml", src, &c, nil)
	for path, want := range map[string]bool{"name": true, "list[1].values": true, "seed": false, "list[2]": false} {
		if doc.Has(path) != want {
			t.Errorf("has %s: %v", path, !want)
		}
	}
	if doc.Failed("name") || !doc.Failed("count") || doc.Line("list[1].values") != 4 {
		t.Error("wrong about what failed, or where things are")
	}
	doc.Report(&strictyaml.Error{Path: "name", Reason: "key is wrong", AtKey: true})
	doc.Report(errors.New("plain"))
	for _, want := range []string{"c.yaml:1:1: name: key is wrong", "c.yaml:1:1: plain"} {
		if !strings.Contains(doc.Err().Error(), want) {
			t.Errorf("%v has no %q", doc.Err(), want)
		}
	}
}

// JSON is YAML: the output of encoding/json decodes to the same values.
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
		if _, err := strictyaml.Decode("x", src, &out, nil); err != nil || !reflect.DeepEqual(in, out) {
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
		doc, err := strictyaml.Decode("f", src, &c, nil)
		if err == nil {
			doc.Report(&strictyaml.Error{Path: "list[0].values"})
		} else if !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("error without file: %v", err)
		}
		if text := string(src); utf8.Valid(src) && !strings.ContainsAny(text, "\r\x00") {
			var again config
			_, err2 := strictyaml.Decode("f", []byte("\uFEFF"+strings.ReplaceAll(text, "\n", "\r\n")), &again, nil)
			if fmt.Sprint(err) != fmt.Sprint(err2) || err == nil && !reflect.DeepEqual(c, again) {
				t.Fatalf("%+v, %v\nwith CRLF and a byte-order mark %+v, %v", c, err, again, err2)
			}
		}
	})
}

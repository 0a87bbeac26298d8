package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var every = flag.Bool("every", false, "try every changed document against the schema, not one in five")

func TestSchemaGolden(t *testing.T) {
	got, err := scenarios.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "scenario.schema.json", got)
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	src, err := scenarios.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("scenario.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// meaning lists the rules that a schema cannot state, because they relate several
// values, need arithmetic, or depend on other files.
var meaning = regexp.MustCompile(strings.Join([]string{
	`unknown variant `, `(repeats|contradicts) the threshold`, `can never be met`, `no level that the threshold`, `a share of the limit`, `selects no level`, `does not vary`, `a factor that is a number`, `compared with itself`,
	`another (variant|claim) is named`, `for each of \d+ hosts`, `which the hosts divide`, `for a service that runs already`, `each host of a service`, `repeats the level`, `are the same factor`, `this scenario has no`, `unknown factor "upstream\.`,
	`has no items`, `must be a duration (of|above)`, `items\.count: missing`, `at most the number of items`, `at most database.latency`, `which sut.command replaces`, `needs sut.container`, `applies only to an HTTP service; add`, `without a service`, `does not apply to (strategy|pattern|a limit|a service)`, `needs it, above 0`, `needs rate, to`, `at most the mean`, `(of|to|for) a service`, `cannot be combined with a service`, `for date-ranges`, `one item at a time`,
	// rules of mockupstream that depend on the kind of a distribution or fault, or on another field
	`upstream.*(must be (at most|at least|more than|later than|\d+ to|0s?\b)|needs a distribution|does not apply to distribution|applies to kind|file: missing)`,
	`levels.*must be (at most|at least|more than|0s?\b)`, `levels.*(does not apply to|needs a) distribution`,
}, "|"))

// TestSchemaAgrees replaces every value of documents that use every field by every other
// value and compares the judgments of the schema and the loader. Without -every it tries
// one replacement in five.
func TestSchemaAgrees(t *testing.T) {
	schema := compileSchema(t)
	agreed := map[bool]int{}
	for name, doc := range goodDocuments(t) {
		changed := map[string]any{"nothing": doc}
		if name == "full" || name == "least" || name == "contained" {
			changed = mutants(doc)
		}
		for change, mutant := range changed {
			if !*every && change != "nothing" && checksum(change)%5 != 0 {
				continue
			}
			src, err := json.Marshal(mutant)
			if err != nil {
				t.Fatal(err)
			}
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(src))
			if err != nil {
				t.Fatal(err)
			}
			bySchema := schema.Validate(instance)
			_, byLoader := scenarios.Parse(name, src)
			switch {
			case bySchema != nil && byLoader == nil:
				t.Errorf("%s, %s: the schema alone rejects it: %v", name, change, bySchema)
			case bySchema == nil && byLoader != nil && !onlyMeaning(byLoader):
				t.Errorf("%s, %s: the loader alone rejects it: %v", name, change, byLoader)
			default:
				agreed[byLoader == nil]++
			}
		}
	}
	t.Logf("both accept %d documents; the loader, and the schema where it can, reject %d", agreed[true], agreed[false])
	if agreed[true] < 100 || agreed[false] < 1000 {
		t.Errorf("only %v documents tried", agreed)
	}
}

func checksum(text string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(text))
	return h.Sum32()
}

func onlyMeaning(err error) bool {
	var all strictyaml.Errors
	if !errors.As(err, &all) {
		return false
	}
	return !slices.ContainsFunc(all, func(e *strictyaml.Error) bool { return !meaning.MatchString(e.Message()) })
}

func goodDocuments(t *testing.T) map[string]any {
	t.Helper()
	sources := map[string][]byte{}
	for _, name := range scenarios.BuiltinNames() {
		src, err := scenarios.BuiltinSource(name)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = src
	}
	for _, name := range []string{"full", "least"} {
		src, err := os.ReadFile("testdata/good/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = src
	}
	documents := map[string]any{}
	for name, src := range sources {
		var doc map[string]any
		if err := yaml.Unmarshal(src, &doc); err != nil {
			t.Fatal(err)
		}
		documents[name] = doc
	}
	return documents
}

// mutants returns copies of a document with one value replaced, removed or added, by a
// description of the change.
func mutants(doc any) map[string]any {
	found := map[string]any{"nothing": doc}
	walk(doc, "", func(path string, put func(v any) any) {
		for _, v := range []any{
			nil, true, "", "  ", "x", "No Name", "5ms", "0s", "-5ms", "1h30m", "25h", "60%", "100%", "items", "sequential", "fresh",
			-1, 0, 1, 5, 6, 7, 2.5, 100_000_000, 1e300,
			[]any{}, []any{"x"}, []any{1, 2}, []any{1, 1}, []any{"5ms", "6ms"}, []any{map[string]any{}}, []any{[]any{1}},
			map[string]any{}, map[string]any{"items": 20}, map[string]any{"strategy": "sequential"},
		} {
			found[fmt.Sprintf("%s = %#v", path, v)] = put(v)
		}
	})
	return found
}

// walk visits every position in a document, and one new key in every mapping. The
// function put of a position returns a copy of the document with another value there.
func walk(doc any, path string, visit func(path string, put func(v any) any)) {
	visitPlace(doc, path, func(v any) any { return v }, visit)
}

func visitPlace(node any, path string, put func(v any) any, visit func(string, func(any) any)) {
	visit(path, put)
	switch n := node.(type) {
	case map[string]any:
		with := func(key string) func(any) any {
			return func(v any) any {
				changed := maps.Clone(n)
				changed[key] = v
				return put(changed)
			}
		}
		for key, child := range n {
			visitPlace(child, path+"."+key, with(key), visit)
			visit(path+"."+key+" removed, instead", func(any) any {
				changed := maps.Clone(n)
				delete(changed, key)
				return put(changed)
			})
		}
		visit(path+".unknown", with("unknown"))
	case []any:
		for i, child := range n {
			visitPlace(child, fmt.Sprintf("%s[%d]", path, i), func(v any) any {
				changed := slices.Clone(n)
				changed[i] = v
				return put(changed)
			}, visit)
		}
	}
}

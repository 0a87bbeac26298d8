package results_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"floodgate/results"
	"floodgate/results/internal/runtest"
)

var update = flag.Bool("update", false, "write run.schema.json")

const schemaFile = "run.schema.json"

// The committed schema of the lines of run.jsonl agrees with the types.
func TestSchemaIsThatOfTheTypes(t *testing.T) {
	src, err := json.MarshalIndent(newSchema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	src = append(src, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(src)); diff != "" {
		t.Errorf("-committed +types (-update writes it):\n%s", diff)
	}
}

func TestStoredLinesFollowTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(line []byte) error {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(doc)
	}
	for _, run := range []*results.Run{runtest.Messy(), runtest.External(), runtest.Unclaimed(), runtest.Contained(), runtest.HTTPService(nil, nil)} {
		s, err := results.Create(t.TempDir(), run.Header)
		if err != nil {
			t.Fatal(err)
		}
		appendAll(t, s, run.Trials)
		if run.Complete {
			if err := s.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		src, err := os.ReadFile(filepath.Join(s.Dir(), results.FileName))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range bytes.Split(bytes.TrimSpace(src), []byte("\n")) {
			if err := valid(line); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		}
		line := bytes.Split(src, []byte("\n"))[1]
		for old, changed := range map[string]string{
			`"outcome":"ok"`: `"outcome":"okay"`, `"block":0`: `"block":"0"`, `"level_name":`: `"level_nom":`,
		} {
			if valid(bytes.Replace(line, []byte(old), []byte(changed), 1)) == nil {
				t.Errorf("a line with %s passes", changed)
			}
		}
	}
}

type object = map[string]any

// schemaOf generates the schema of a type, with its doc comments as descriptions.
type schemaOf struct {
	docs map[string]string // by "Type" and "Type.Field"
	defs object
}

func newSchema(t *testing.T) object {
	s := schemaOf{docs: docs(t, "record.go", "profile.go", "doubt.go", "parse.go"), defs: object{}}
	lines := []any{}
	for _, v := range []any{results.Header{}, results.Trial{}, results.Footer{}} {
		lines = append(lines, s.of(reflect.TypeOf(v)))
	}
	return object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "A line of run.jsonl, schema 2",
		"description": "The first line is a header, the others are trials, the last one of a complete run is a footer.",
		"oneOf":       lines,
		"$defs":       s.defs,
	}
}

func (s schemaOf) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Interface:
		return object{"type": []string{"string", "number", "boolean"}}
	case reflect.Struct:
		return s.structure(t)
	}
	panic("no schema for " + t.String())
}

func (s schemaOf) structure(t reflect.Type) object {
	name := strings.ToLower(t.Name())
	ref := object{"$ref": "#/$defs/" + name}
	if s.defs[name] != nil {
		return ref
	}
	properties, required := object{}, []string{}
	def := object{"type": "object", "properties": properties, "additionalProperties": false}
	s.defs[name] = def
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := s.of(f.Type)
		if doc := s.docs[t.Name()+"."+f.Name]; doc != "" {
			property["description"] = doc
		}
		if allowed := enums()[t.Name()+"."+f.Name]; allowed != nil {
			property["enum"] = allowed
		}
		properties[key] = property
		if option == "" {
			required = append(required, key)
		}
	}
	def["required"] = required
	if doc := s.docs[t.Name()]; doc != "" {
		def["description"] = doc
	}
	return ref
}

func enums() map[string][]any {
	return map[string][]any{
		"Trial.Outcome":   {results.OutcomeOK, results.OutcomeInvalid, results.OutcomeCrashed, results.OutcomeTimeout, results.OutcomeStalled, results.OutcomeFailed},
		"Header.Schema":   {results.Schema},
		"footer.Complete": {true},
	}
}

// docs returns the comments of types and their fields.
func docs(t *testing.T, files ...string) map[string]string {
	found := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, spec := range gen.Specs {
				typ := spec.(*ast.TypeSpec)
				found[typ.Name.Name] = oneLine(gen.Doc.Text())
				if fields, ok := typ.Type.(*ast.StructType); ok {
					for _, f := range fields.Fields.List {
						for _, n := range f.Names {
							found[typ.Name.Name+"."+n.Name] = oneLine(f.Doc.Text() + f.Comment.Text())
						}
					}
				}
			}
		}
	}
	return found
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

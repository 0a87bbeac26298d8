package scenarios

import (
	"reflect"
	"testing"

	"floodgate/mockupstream/strictyaml"
)

// The table of rules documents every field of the types, and nothing else.
func TestEveryFieldHasARule(t *testing.T) {
	fields := map[string]bool{}
	visitFields(reflect.TypeFor[Scenario](), func(typeName, key string) {
		if key == "" || key == "-" {
			t.Errorf("a field of %s has no key in the file", typeName)
		}
		fields[typeName+"."+key] = true
	})
	for name := range fields {
		if rules[name].doc == "" {
			t.Errorf("no rule for %s", name)
		}
	}
	for name := range rules {
		if !fields[name] {
			t.Errorf("a rule for %s, which is not a field", name)
		}
	}
}

func visitFields(t reflect.Type, visit func(typeName, key string)) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		visitFields(t.Elem(), visit)
	case reflect.Struct:
		for i, key := range strictyaml.Keys(t) {
			visit(t.Name(), key)
			visitFields(t.Field(i).Type, visit)
		}
	}
}

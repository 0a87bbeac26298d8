package scenarios

import (
	"embed"
	"slices"
	"strings"

	"floodgate/mockupstream/strictyaml"
)

//go:embed *.yaml
var builtinFiles embed.FS

// BuiltinNames lists the built-in scenarios in alphabetical order.
func BuiltinNames() []string {
	entries, err := builtinFiles.ReadDir(".")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	slices.Sort(names)
	return names
}

// Builtins returns the built-in scenarios in the order of BuiltinNames.
func Builtins() ([]*Scenario, error) {
	var all []*Scenario
	for _, name := range BuiltinNames() {
		s, err := Builtin(name)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Builtin returns the built-in scenario of that name. The error names the nearest one.
func Builtin(name string) (*Scenario, error) {
	src, err := BuiltinSource(name)
	if err != nil {
		return nil, err
	}
	return Parse(name+".yaml", src)
}

// BuiltinSource returns the file of a built-in scenario, comments included.
func BuiltinSource(name string) ([]byte, error) {
	src, err := builtinFiles.ReadFile(name + ".yaml")
	if err != nil {
		return nil, strictyaml.Unknown("built-in scenario", name, BuiltinNames())
	}
	return src, nil
}

package scenarios

import (
	"fmt"
	"os"
	"reflect"
	"slices"
)

// Lines are where in a scenario's file its claims stand, by their IDs, and its
// thresholds, by their rules: from 1.
type Lines struct{ Claims, Thresholds map[string]int }

// LoadLines reads a scenario file as [Load] does, and says where in it things stand.
func LoadLines(path string) (*Scenario, Lines, error) {
	s, err := Load(path)
	if err != nil {
		return nil, Lines{}, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, Lines{}, fmt.Errorf("load scenario: %w", err)
	}
	d := newDecoder(path)
	if root := d.parse(src); root != nil {
		d.value(root, "", reflect.ValueOf(new(Scenario)).Elem(), rule{})
	}
	lines := Lines{make(map[string]int), make(map[string]int)}
	for i, c := range s.Claims {
		lines.Claims[c.ID] = d.places[index("claims", i)].line
	}
	for i, t := range slices.Backward(s.Thresholds) { // of equal rules the first
		lines.Thresholds[t.Rule] = d.places[index("thresholds", i)].line
	}
	return s, lines, nil
}

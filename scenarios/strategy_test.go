package scenarios_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/scenarios"
	"floodgate/scenarios/pipeline"
)

// TestStrategyTable checks and runs every entry of the table of strategies, which is all
// that a new strategy needs beside its implementation.
func TestStrategyTable(t *testing.T) {
	schema := variantSchema(t)
	for _, d := range pipeline.Strategies() {
		t.Run(string(d.Kind), func(t *testing.T) {
			if d.Summary == "" || strings.Contains(d.Summary, "\n") || d.Writing == "" || d.AtOnce == nil || d.Ideal == nil {
				t.Fatalf("the entry is incomplete: %+v", d)
			}
			if !slices.Contains(schema.Properties.Strategy.Enum, string(d.Kind)) {
				t.Errorf("the schema does not list it: %v", schema.Properties.Strategy.Enum)
			}
			if text := fmt.Sprintf("%s %s", d.Kind, d.Summary); !strings.Contains(schema.Properties.Strategy.Description, text) {
				t.Errorf("the schema does not describe it as %q: %s", text, schema.Properties.Strategy.Description)
			}
			v := loaded(t, d)
			strategy := v.Schedule()
			if err := strategy.Validate(); err != nil {
				t.Fatal(err)
			}
			if fetches, writes := strategy.AtOnce(); (fetches > 0) != (writes > 0) || d.Has("limit") && fetches != v.Limit || d.Has("writers") && writes != v.Writers {
				t.Errorf("%d fetches and %d writes at once", fetches, writes)
			}
			delays := []time.Duration{time.Second, time.Second, time.Second}
			if ideal := scenarios.Ideal(v, [][]time.Duration{delays}, time.Second); (ideal > 0) != (d.NewSlots == nil) {
				t.Errorf("ideal makespan %v", ideal)
			}
			if p := scenarios.Predict(v, &scenarios.Scenario{Items: scenarios.Items{Count: 3}}); p.Upstream < 1 || p.Mongo < 1 {
				t.Errorf("predicted descriptors %+v", p)
			}
			if v.Bounds() == "" {
				t.Error("a service of it is not described")
			}
			works(t, strategy)
		})
	}
}

// loaded loads a variant of the strategy, with each parameter at its least value above
// 0. It checks that the loader rejects it without a required parameter.
func loaded(t *testing.T, d pipeline.Definition) scenarios.Variant {
	t.Helper()
	file := func(left string) string {
		text := "strategy: " + string(d.Kind)
		for _, p := range d.Parameters {
			value := fmt.Sprint(max(1, p.Min))
			if p.Duration {
				value += "ns"
			}
			if p.Name != left {
				text += fmt.Sprintf(", %s: %s", p.Name, value)
			}
		}
		return fmt.Sprintf("{version: 1, name: one, title: one, items: {kind: phone-numbers}, upstream: {}, variants: [{%s}], levels: [{items: 3}], blocks: 6}", text)
	}
	for _, p := range d.Parameters {
		if _, err := scenarios.Parse("test.yaml", []byte(file(p.Name))); (err != nil) != (p.Min > 0) {
			t.Errorf("without %s: %v", p.Name, err)
		}
	}
	return parse(t, file("")).Variants[0]
}

// works checks that a pipeline processes three items.
func works(t *testing.T, s pipeline.Strategy) {
	t.Helper()
	p := pipeline.Pipeline[int, int]{
		Fetcher:  pipeline.FetcherFunc[int, int](func(_ context.Context, item int) ([]int, error) { return []int{10 * item}, nil }),
		Writer:   pipeline.WriterFunc[int](func(context.Context, []int) error { return nil }),
		Strategy: s,
	}
	if got, err := p.Run(t.Context(), []int{1, 2, 3}); err != nil || fmt.Sprint(got) != "[[10] [20] [30]]" {
		t.Errorf("%v, %v", got, err)
	}
}

type schemaOfVariant struct {
	Properties struct {
		Strategy struct {
			Description string   `json:"description"`
			Enum        []string `json:"enum"`
		} `json:"strategy"`
	} `json:"properties"`
}

func variantSchema(t *testing.T) schemaOfVariant {
	t.Helper()
	text, err := scenarios.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct{ Variant schemaOfVariant } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Defs.Variant
}

package scenarios

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"floodgate/mockupstream"
	"floodgate/mockupstream/strictyaml"
	"floodgate/scenarios/pipeline"
)

// schema is a JSON Schema, or a part of one; encoding/json sorts its keys.
type schema = map[string]any

// JSONSchema returns a JSON Schema (draft 2020-12) of scenario files, for editors.
// It is derived from the types and rules of the loader and covers everything but
// relations between values: only the loader checks, for example, that the variants
// of a claim exist.
func JSONSchema() ([]byte, error) {
	w := schemaWriter{defs: schema{}}
	root := w.object(reflect.TypeFor[Scenario]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Floodgate scenario"
	root["$defs"] = w.defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the schema of scenarios: %w", err)
	}
	return append(out, '\n'), nil
}

// schemaWriter collects the definitions of the types that it visits.
type schemaWriter struct{ defs schema }

// of returns the schema of a field.
func (w schemaWriter) of(t reflect.Type, r rule) schema {
	s := w.plain(t, r)
	if r.doc != "" {
		s["description"] = r.doc
	}
	return s
}

func (w schemaWriter) plain(t reflect.Type, r rule) schema {
	switch {
	case t == durationType && r.positive:
		return schema{"type": "string", "pattern": durationPattern, "allOf": []schema{{"pattern": "[1-9]"}}}
	case t == durationType:
		return schema{"type": "string", "pattern": durationPattern}
	case t == bytesType:
		return schema{"type": "string", "pattern": bytesPattern}
	case t == percentType:
		return schema{"type": "string", "pattern": percentPattern}
	case t == serialType:
		return schema{"anyOf": []schema{{"type": "string", "pattern": durationPattern}, w.ref(t)}}
	case t == thresholdType:
		return schema{"anyOf": []schema{{"type": "string", "pattern": rulePattern()}, w.ref(t)}}
	case t == reflect.TypeFor[Statuses]():
		return schema{"type": []string{"string", "integer"}, "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$", "minimum": 100, "maximum": 599}
	case t == reflect.TypeFor[Ready](), t == reflect.TypeFor[Scrape]():
		return schema{"anyOf": []schema{{"type": "string", "pattern": "^/"}, w.ref(t)}}
	case t == reflect.TypeFor[Container]():
		return schema{"anyOf": []schema{{"type": "boolean"}, w.ref(t)}}
	case t == reflect.TypeFor[Values]():
		return schema{"type": "object", "minProperties": 1, "additionalProperties": schema{"type": []string{"string", "number", "boolean"}}}
	case t == reflect.TypeFor[LevelSet]():
		return w.factors("levelSet", true)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.plain(t.Elem(), r)
	case reflect.Struct:
		return w.ref(t)
	case reflect.Map:
		return w.factors("where", false)
	case reflect.Slice:
		return w.list(t, r)
	case reflect.String:
		return textSchema(r)
	case reflect.Bool:
		return schema{"type": "boolean"}
	}
	return numberSchema(t, r)
}

func (w schemaWriter) list(t reflect.Type, r rule) schema {
	element := r
	element.doc = ""
	s := schema{"type": "array", "items": w.of(t.Elem(), element)}
	if !r.empty {
		s["minItems"] = 1
	}
	if r.variant {
		s["uniqueItems"] = true
	}
	return s
}

func textSchema(r rule) schema {
	s := schema{"type": "string"}
	switch {
	case r.oneOf != nil:
		s["enum"] = r.oneOf
	case r.name:
		s["pattern"], s["maxLength"] = namePattern, maxNameLength
	case r.rule:
		s["pattern"] = rulePattern()
	case r.factor:
		s["anyOf"] = factorNames()
	case r.filled:
		s["pattern"] = blankPattern
	}
	return s
}

func numberSchema(t reflect.Type, r rule) schema {
	s := schema{"type": "integer"}
	switch t.Kind() {
	case reflect.Float64:
		s["type"] = "number"
	case reflect.Uint64:
		s["minimum"], s["maximum"] = 0, uint64(1<<64-1)
	}
	if r.span != nil {
		s["minimum"], s["maximum"] = r.span.Min, r.span.Max
	}
	return s
}

// ref defines a struct once and refers to it.
func (w schemaWriter) ref(t reflect.Type) schema {
	if _, known := w.defs[t.Name()]; !known {
		w.defs[t.Name()] = nil // it may refer to itself
		w.defs[t.Name()] = w.object(t)
	}
	return schema{"$ref": "#/$defs/" + t.Name()}
}

func (w schemaWriter) object(t reflect.Type) schema {
	properties := schema{}
	var needed []string
	for i, key := range strictyaml.Keys(t) {
		properties[key] = w.of(t.Field(i).Type, ruleFor(t.Name(), key))
		if strictyaml.Required(t.Field(i)) {
			needed = append(needed, key)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if needed != nil {
		s["required"] = needed
	}
	switch t {
	case reflect.TypeFor[Scenario]():
		// See Scenario.IsHTTPService.
		strategy := func(s schema) schema {
			return schema{"properties": schema{"variants": schema{"items": s}}}
		}
		s["if"] = schema{"required": []string{"service", "sut"}, "properties": schema{"sut": schema{"anyOf": append(requireEach([]string{"command", "pid", "port"}), schema{
			"required": []string{"container"}, "properties": schema{"container": schema{"type": "object", "required": []string{"image"}}},
		})}}}
		s["then"] = strategy(schema{"properties": schema{"strategy": false}})
		s["else"] = strategy(schema{"required": []string{"strategy"}})
		s["else"].(schema)["required"] = []string{"items", "variants", "levels"}
	case reflect.TypeFor[Items]():
		s["oneOf"] = requireEach([]string{"kind", "file"})
	case reflect.TypeFor[Variant]():
		s["allOf"] = strategySchemas()
	case reflect.TypeFor[Claim]():
		s["oneOf"] = requireEach(kindsOfClaim)
	case reflect.TypeFor[DescriptorsClaim]():
		s["anyOf"] = requireEach([]string{"within", "grows"})
		s["dependentRequired"] = schema{"with": []string{"grows"}}
	case reflect.TypeFor[TimeSeriesClaim]():
		s["anyOf"] = requireEach([]string{"climbs", "steady"})
	case reflect.TypeFor[AdaptationClaim]():
		s["anyOf"] = requireEach([]string{"converges_within", "overshoot", "throughput_lost", "p99"})
	case reflect.TypeFor[Quick]():
		s["minProperties"] = 1
	}
	return s
}

func requireEach(keys []string) []schema {
	var each []schema
	for _, key := range keys {
		each = append(each, schema{"required": []string{key}})
	}
	return each
}

// strategySchemas returns a schema for each strategy with its required and excluded fields.
func strategySchemas() []schema {
	var all []schema
	for _, d := range pipeline.Strategies() {
		then, none := schema{}, schema{}
		var needs []string
		for _, p := range pipeline.Parameters() {
			switch {
			case !d.Has(p.Name):
				none[p.Name] = false
			case p.Min > 0:
				needs = append(needs, p.Name)
			}
		}
		then["properties"] = none
		if needs != nil {
			then["required"] = needs
		}
		if len(dividedParameters(d)) == 0 {
			none["limit_scope"] = false
		}
		if d.Algorithms == nil {
			none["algorithm"], none["parameters"] = false, false
		}
		all = append(all, schema{
			"if":   schema{"properties": schema{"strategy": schema{"const": d.Kind}}, "required": []string{"strategy"}},
			"then": then,
		})
	}
	return all
}

// factors returns the schema of a mapping of factors to a value, or also to a list.
func (w schemaWriter) factors(name string, lists bool) schema {
	if _, known := w.defs[name]; !known {
		properties, patterns := schema{}, schema{}
		for _, f := range anyFactors() {
			f.rule.doc = ""
			value := w.of(f.typ, f.rule)
			if lists {
				value = schema{"anyOf": []schema{value, {"type": "array", "minItems": 1, "uniqueItems": true, "items": value}}}
			}
			for _, path := range f.names() {
				if pattern, isPattern := pathPattern(path); isPattern {
					patterns[pattern] = value
				} else {
					properties[path] = value
				}
			}
		}
		if lists {
			properties[levelNameKey] = w.of(reflect.TypeFor[string](), levelNameRule)
		}
		w.defs[name] = schema{
			"type": "object", "minProperties": 1, "additionalProperties": false,
			"properties": properties, "patternProperties": patterns,
		}
	}
	return schema{"$ref": "#/$defs/" + name}
}

// factorNames returns schemas for the name of a factor.
func factorNames() []schema {
	var names, patterns []string
	for _, f := range anyFactors() {
		for _, path := range f.names() {
			if pattern, isPattern := pathPattern(path); isPattern {
				patterns = append(patterns, pattern)
			} else {
				names = append(names, path)
			}
		}
	}
	return []schema{{"enum": names}, {"pattern": strings.Join(patterns, "|")}}
}

// names returns the factor's short name and its path.
func (f factor) names() []string { return slices.Compact([]string{f.name, fullPath(f.name)}) }

// pathPattern returns a pattern that matches a path at any index of its lists, if it has any.
func pathPattern(path string) (string, bool) {
	quoted := regexp.QuoteMeta(path)
	pattern := indexed.ReplaceAllString(quoted, `\.(0|[1-9][0-9]*)\.`)
	return "^" + pattern + "$", pattern != quoted
}

// indexed matches the number of a list's element in a quoted path.
var indexed = regexp.MustCompile(`\\\.0\\\.`)

// anyFactors returns the factors of a scenario that has every part.
func anyFactors() []factor {
	fault := []mockupstream.Fault{{}}
	profile := mockupstream.Profile{
		Faults: fault, Capacity: &mockupstream.Capacity{}, Rate: &mockupstream.RateLimit{},
		Phases: []mockupstream.Phase{{
			Latency: &mockupstream.Distribution{}, Faults: fault,
			Capacity: &mockupstream.Capacity{}, Rate: &mockupstream.RateLimit{},
		}},
	}
	return (&Scenario{Upstream: profile, Service: &Service{Arrivals: Arrivals{Steps: []Step{{}}}}}).factors()
}

// rulePattern matches the rule of a threshold: every metric with a value in its unit.
func rulePattern() string {
	const space = `[ \t\n]*`
	name := strings.Trim(namePattern, "^$")
	values := map[Unit]string{
		UnitTime:  strings.Trim(durationPattern, "^$"),
		UnitBytes: strings.Trim(bytesPattern, "^$"),
		UnitShare: fmt.Sprintf(`(0|[1-9][0-9]{0,%d})(\.[0-9]{1,%d})?%%`, percentDigits-1, percentPlaces),
		UnitRate:  fmt.Sprintf(`(0|[1-9][0-9]{0,%d})(\.[0-9]{1,%d})?/s`, ratePlaces-1, ratePlaces),
		UnitCount: fmt.Sprintf(`(0|[1-9][0-9]{0,%d})`, countDigits-1),
	}
	words := map[Unit][]string{}
	for _, m := range Metrics() {
		words[m.Unit] = append(words[m.Unit], regexp.QuoteMeta(m.Name))
	}
	var either []string
	ops := "(<=?|>=?|==)"
	for _, u := range []Unit{UnitTime, UnitCount, UnitShare, UnitBytes, UnitRate} {
		if u == UnitRate {
			ops = "(<=?|>=?)"
		}
		either = append(either, name+`\.(`+strings.Join(words[u], "|")+")"+space+ops+space+values[u])
	}
	either = append(either, MetricReduction+space+`\(`+space+name+space+","+space+name+space+`\)`+space+"(<=?|>=?)"+space+"-?"+values[UnitShare])
	return "^" + space + "(" + strings.Join(either, "|") + ")" + space + "$"
}

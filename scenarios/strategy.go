package scenarios

import (
	"fmt"
	"strings"
	"time"

	"floodgate/scenarios/pipeline"
)

// What the format says about strategies comes from the table of [pipeline.Strategies].

// strategyRule lists the strategies with their summaries.
func strategyRule() rule {
	var doc []string
	for _, d := range pipeline.Strategies() {
		doc = append(doc, fmt.Sprintf("%s %s", d.Kind, d.Summary))
	}
	return rule{doc: "How items are scheduled: " + strings.Join(doc, "; ") + ".", oneOf: pipeline.Kinds(nil)}
}

// parameterRule describes the field of a parameter.
func parameterRule(p pipeline.Parameter) rule {
	r := rule{doc: fmt.Sprintf("%s; for %s.", p.Summary, enumerate(strategiesWith(p)))}
	if p.Least == 0 {
		r.doc += " Default 0."
	}
	if p.Duration {
		r.most = Duration(time.Duration(p.Most))
	} else {
		r.span = between(float64(p.Least), float64(p.Most))
	}
	return r
}

// strategiesWith names the strategies that have the parameter.
func strategiesWith(p pipeline.Parameter) []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Has(p.Name) })
}

// shareable names the strategies whose limit the reports of a service can share.
func shareable() []string {
	return pipeline.Kinds(func(d pipeline.Definition) bool { return d.Shareable })
}

// enumerate joins names as in "a, b and c".
func enumerate(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

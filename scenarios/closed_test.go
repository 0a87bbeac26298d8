package scenarios_test

import (
	"strings"
	"testing"

	"floodgate/scenarios"
)

// An unclosed variable would be sent literally, so it is a mistake with a position; a
// variable of the variant writes it literally.
func TestUnclosedVariables(t *testing.T) {
	const text = `version: 1
name: own
title: My service
sut:
  command: [./mine, "{{addr}}", "ARGUMENT"]
  env: {MINE: "VALUE"}
service:
  requests: [{path: "/PATH", headers: {X-Mine: "HEADER"}, body: "BODY"}]
  arrivals: {rate: 5}
  duration: 1s
variants: [{name: one, vars: {open: "{{", dollar: "${"}}]
`
	for place, want := range map[string]string{
		"ARGUMENT": `own.yaml:5:33: sut.command[2]: `, "VALUE": `own.yaml:6:15: sut.env.MINE: `, "PATH": `own.yaml:8:21: service.requests[0].path: `,
		"HEADER": `own.yaml:8:48: service.requests[0].headers.X-Mine: `, "BODY": `own.yaml:8:65: service.requests[0].body: `,
	} {
		for value, reason := range map[string]string{
			"{{n":               `a variable begins with {{ and is not closed by }} in "{{n"; to write it literally, `,
			"{{addr}}{{port}":   `not closed by }} in "{{port}"`,
			"a${TOKEN":          `a variable of the environment begins with ${ and is not closed by } in "${TOKEN"; to write it literally, `,
			"${TOKEN} ${TOKEN2": `in "${TOKEN2"`,
		} {
			if place != "ARGUMENT" && place != "VALUE" {
				value = strings.ReplaceAll(value, "{{addr}}", "{{n}}")
			}
			_, err := scenarios.Parse("own.yaml", []byte(strings.Replace(text, place, value, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s %q: error %v, want %q with %q", place, value, err, want, reason)
			}
		}
		for _, value := range []string{"{{open}}n", "{{dollar}}TOKEN", "${TOKEN}", "${1:-5}", "{{{open}}}", "{a}}", "$TOKEN {"} {
			if _, err := scenarios.Parse("own.yaml", []byte(strings.Replace(text, place, value, 1))); err != nil {
				t.Errorf("%s %q: %v", place, value, err)
			}
		}
	}
}

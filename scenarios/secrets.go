package scenarios

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"floodgate/mockupstream/secrets"
	"floodgate/mockupstream/strictyaml"
)

// Secrets returns the values of the environment variables that the scenario names as
// ${NAME}, in every form of [secrets.Encodings], the longest first; they must not reach a record, a
// log or an error.
func (s *Scenario) Secrets(lookup func(name string) (string, bool)) []string {
	var forms []string
	for _, t := range slices.Concat(s.templates(), s.values()) {
		for _, m := range environment.FindAllStringSubmatch(t.text, -1) {
			v, ok := lookup(m[1])
			switch {
			case !ok || v == "":
			case len(v) < secrets.MinEncoded:
				forms = append(forms, v, url.PathEscape(v), url.QueryEscape(v))
			default:
				forms = append(forms, secrets.Encodings(v)...)
			}
		}
	}
	return secrets.LongestFirst(forms)
}

// HoldsCredentials reports whether the value of a header is a credential that was written
// out, in place of the name of an environment variable.
func HoldsCredentials(header, value string) bool {
	credentials := []string{"authorization", "proxy-authorization", "cookie", "x-api-key"}
	return slices.Contains(credentials, strings.ToLower(strings.TrimSpace(header))) && !strings.Contains(value, "${") && !strings.Contains(value, "{{")
}

// exposed returns an error for each credential that is written out in a header: every
// record would contain it.
func (s *Scenario) exposed() (found strictyaml.Errors) {
	add := func(headers Values, path, advice string) {
		for _, h := range textsOf(headers, "") {
			if HoldsCredentials(h.path, h.text) {
				found = append(found, problem(path, "%s is written out and would be stored in every record; %s", h.path, advice))
			}
		}
	}
	const variable = "set a variable of the environment, and write its name as ${NAME}"
	if r := s.Upstream.Request; r != nil {
		add(r.Headers, "upstream.request.headers", variable)
	}
	if s.Service == nil {
		return found
	}
	for i, r := range s.Service.Requests {
		if s.Service.Targets != "" { // their texts hold no variables
			add(r.Headers, "service.targets", fmt.Sprintf("write %s %s as one of service.requests, with ${NAME} of the environment", r.Method, r.Path))
			continue
		}
		add(r.Headers, strictyaml.Join(strictyaml.Index("service.requests", i), "headers"), variable)
	}
	return found
}

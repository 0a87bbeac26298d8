package scenarios

import (
	"net/url"
	"slices"

	"floodgate/mockupstream/secrets"
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

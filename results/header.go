package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// SetScenario stores the scenario v in its canonical form (object keys sorted,
// no insignificant space, credentials removed) and the hash of that form.
func (h *Header) SetScenario(v any) error {
	canonical, err := canonicalJSON(v)
	if err != nil {
		return fmt.Errorf("record scenario: %w", err)
	}
	h.Scenario = canonical
	h.Hash = hashOf(canonical)
	return nil
}

// judging are the keys of a scenario that judge or describe what is measured,
// and change nothing of it.
var judging = []string{"title", "description", "claims", "thresholds", "quick"}

// Design is the hash of what runs: of the scenario without its title,
// description, claims, thresholds and quick version. Runs that have it and the
// seed in common made the same draws, whatever they were asked to show. It is
// the hash of the scenario where that cannot be read.
func (h Header) Design() string {
	var tree map[string]json.RawMessage
	if err := json.Unmarshal(h.Scenario, &tree); err != nil {
		return h.Hash
	}
	for _, key := range judging {
		delete(tree, key)
	}
	canonical, err := canonicalJSON(tree)
	if err != nil {
		return h.Hash
	}
	return hashOf(canonical)
}

// ScenarioHash is the hash that [Header.SetScenario] would store for v. Two
// scenarios that differ in credentials alone have the same one.
func ScenarioHash(v any) (string, error) {
	canonical, err := canonicalJSON(v)
	if err != nil {
		return "", fmt.Errorf("hash scenario: %w", err)
	}
	return hashOf(canonical), nil
}

func hashOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// canonicalJSON renders v with sorted keys and redacted strings. Numbers keep
// their digits: a seed uses all 64 bits.
func canonicalJSON(v any) (json.RawMessage, error) {
	src, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	line, err := encodeLine(redactTree(tree))
	return bytes.TrimSuffix(line, []byte("\n")), err
}

func redactTree(v any) any {
	switch v := v.(type) {
	case string:
		return Redact(v)
	case []any:
		for i := range v {
			v[i] = redactTree(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = redactTree(v[k])
		}
	}
	return v
}

// encodeLine renders v as one line of JSON with its newline. HTML is not
// escaped: a claim that says "<" is to be found by that.
func encodeLine(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

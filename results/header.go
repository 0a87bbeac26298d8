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

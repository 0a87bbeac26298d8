package results

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"floodgate/results/revision"
	"floodgate/scenarios"
	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
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

// judging lists the keys of a scenario that judge or describe the measurement
// without changing it.
var judging = []string{"title", "description", "claims", "thresholds", "quick"}

// Design returns the hash of the scenario without its title, description,
// claims, thresholds and quick version. Runs with the same design and seed made
// the same draws, whatever they claim. If the scenario cannot be read, Design
// returns the hash of the whole scenario.
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

// ScenarioHash returns the hash that [Header.SetScenario] would store for v.
// Scenarios that differ only in credentials have the same hash.
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
// escaped, so that a text with "<" can be searched for.
func encodeLine(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// decoded caches the scenario of a run.
type decoded struct {
	source   json.RawMessage
	scenario *scenarios.Scenario
	err      error
}

// decoding guards the decoded scenarios of all runs.
var decoding sync.Mutex

// Scenario returns the scenario of the run. It is decoded once, and callers must
// not change it. That of a complete run that repeated blocks has as many as there are.
func (r *Run) Scenario() (*scenarios.Scenario, error) {
	decoding.Lock()
	defer decoding.Unlock()
	if r.scenario == nil || !bytes.Equal(r.scenario.source, r.Header.Scenario) {
		d := &decoded{source: bytes.Clone(r.Header.Scenario), scenario: &scenarios.Scenario{}}
		if err := json.Unmarshal(d.source, d.scenario); err != nil {
			d.scenario, d.err = nil, fmt.Errorf("read the scenario of run %q: %w", r.Header.ID, err)
		}
		if n, ok := r.blocks(); ok && d.err == nil {
			d.scenario.Blocks = n
		}
		r.scenario = d
	}
	return r.scenario.scenario, r.scenario.err
}

// unknown is the value of a text in a fingerprint that could not be determined.
const unknown = "unknown"

// TakeFingerprint describes this machine and this program. A value that cannot
// be determined is "unknown", or 0 if it is a number. CPUQuota,
// MemoryLimit and Governor are left empty: machine.Fingerprint, which reads the control
// groups, sets them.
func TakeFingerprint(ctx context.Context) Fingerprint {
	f := Fingerprint{
		CPU: unknown, Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernel: unknown, Go: runtime.Version(), NoFile: noFile(), GOMAXPROCS: runtime.GOMAXPROCS(0),
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil && len(infos) > 0 && infos[0].ModelName != "" {
		f.CPU = strings.Join(strings.Fields(infos[0].ModelName), " ")
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		f.Memory = int64(m.Total)
	}
	if v, err := host.KernelVersionWithContext(ctx); err == nil && v != "" {
		f.Kernel = v
	}
	f.Revision, f.Modified = OwnRevision(ctx)
	return f
}

// OwnRevision returns the revision stamped into the binary. If there is none, as
// with `go run`, it returns that of the working directory, provided that this is
// a checkout of this module.
func OwnRevision(ctx context.Context) (rev string, modified bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				rev = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if rev != "" {
		return rev, modified
	}
	r, ok := revision.Of(ctx, "")
	if !ok || !isOurs(r.Top) {
		return unknown, false
	}
	return r.Commit, r.Modified
}

func isOurs(top string) bool {
	src, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(src), "\n")
	return strings.TrimSpace(first) == "module "+revision.Module
}

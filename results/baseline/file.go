package baseline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"floodgate/mockupstream/strictyaml"
	"floodgate/results/atomicfile"
)

// Folder that baselines are committed in.
const Folder = "results/baseline"

// Path is the file of a scenario's baseline where none is named.
func Path(scenario string, quick bool) string {
	if quick {
		scenario += ".quick"
	}
	return filepath.FromSlash(Folder + "/" + scenario + ".yaml")
}

const head = `# What a good run of the scenario %s measured. "floodgate gate baseline RUN" compares
# other runs with it. Nobody edits it: after a change that is meant to be, run
#   floodgate gate baseline RUN --update
# with a run that held, and review the difference. Lists have a value a block.
`

// Encode writes the file: a metric a line, always in the same order.
func (b *Baseline) Encode() []byte {
	w := &writer{}
	name := printable(b.Scenario)
	fmt.Fprintf(&w.out, head, name)
	w.key("", "schema", strconv.Itoa(b.Schema))
	w.text("", "scenario", b.Scenario)
	w.text("", "hash", b.Hash)
	w.key("", "seed", strconv.FormatUint(b.Seed, 10))
	w.key("", "quick", strconv.FormatBool(b.Quick))
	w.text("", "run", b.Run)
	w.text("", "recorded", b.Recorded)
	w.text("", "revision", b.Revision)
	w.key("", "modified", strconv.FormatBool(b.Modified))
	w.key("", "environment", "")
	w.text("  ", "kind", b.Environment.Kind)
	w.text("  ", "database", b.Environment.Database)
	w.text("  ", "upstream", b.Environment.Upstream)
	w.text("  ", "sut", b.Environment.SUT)
	w.key("", "machine", "")
	w.text("  ", "cpu", b.Machine.CPU)
	w.key("  ", "cores", strconv.Itoa(b.Machine.Cores))
	w.text("  ", "os", b.Machine.OS)
	w.text("  ", "arch", b.Machine.Arch)
	w.text("  ", "kernel", b.Machine.Kernel)
	w.text("  ", "go", b.Machine.Go)
	if n := b.Machine.GOMAXPROCS; n > 0 {
		w.key("  ", "gomaxprocs", strconv.Itoa(n))
	}
	if q := b.Machine.CPUQuota; q > 0 {
		w.key("  ", "cpu_quota", number(q))
	}
	w.key("", "drawn", strconv.FormatBool(b.Drawn))
	w.key("", "blocks", strconv.Itoa(b.Blocks))
	w.text("", "reductions_against", b.Against)
	w.key("", "cells", "")
	for i := range b.Cells {
		w.cell(&b.Cells[i])
	}
	return w.out.Bytes()
}

type writer struct{ out bytes.Buffer }

func (w *writer) key(indent, key, value string) {
	w.out.WriteString(strings.TrimRight(indent+key+": "+value, " ") + "\n")
}

// text is quoted as JSON, which is YAML.
func (w *writer) text(indent, key, value string) { w.key(indent, key, quoted(value)) }

func quoted(text string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // text always encodes
	return strings.TrimSuffix(out.String(), "\n")
}

func (w *writer) cell(c *Cell) {
	const in = "    "
	w.text("  - ", "variant", c.Variant)
	w.text(in, "level", c.Level)
	w.key(in, "blocks", list(c.Blocks, strconv.Itoa))
	if len(c.ItemsFailed) > 0 {
		w.key(in, "items_failed", list(c.ItemsFailed, strconv.Itoa))
	}
	if r := c.Reduction; r != nil {
		text := "estimate: " + number(r.Estimate)
		if r.Low != nil && r.High != nil {
			text += ", low: " + number(*r.Low) + ", high: " + number(*r.High)
		}
		w.key(in, "reduction", "{"+text+"}")
	}
	for _, s := range series {
		if l := *s.list(c); len(l) > 0 {
			w.key(in, s.key, list(l, number))
		}
	}
	for _, n := range []struct {
		key   string
		value *int
	}{{"peak_descriptors", c.Peak}, {"predicted_descriptors", c.Predicted}, {"left_descriptors", c.Left}, {"unfinished_trials", &c.Unfinished}} {
		if n.value != nil {
			w.key(in, n.key, strconv.Itoa(*n.value))
		}
	}
	if len(c.Errors) == 0 {
		w.key(in, "errors", "[]")
	} else {
		w.key(in, "errors", "")
	}
	for _, e := range c.Errors {
		fmt.Fprintf(&w.out, "      - {type: %s, count: %d}\n", quoted(e.Type), e.Count)
	}
	if d := c.Writes; d != nil {
		w.key(in, "writes", fmt.Sprintf("{checked_trials: %d, read: %t, lost: %d, duplicate: %d, wrong: %d}", d.Checked, d.Read, d.Lost, d.Duplicate, d.Wrong))
	}
}

func number(x float64) string {
	if x != 0 && (math.Abs(x) < 1e-6 || math.Abs(x) >= 1e15) {
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func list[T any](values []T, format func(T) string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = format(v)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// Decode reads a file. Its error is [strictyaml.Errors] about the file called name.
func Decode(name string, src []byte) (*Baseline, error) {
	var b Baseline
	doc, err := strictyaml.Decode(name, src, &b, nil)
	if err != nil {
		return nil, err
	}
	doc.Report(b.check())
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return &b, nil
}

// maxFile bounds the size of a baseline, in bytes.
const maxFile = 16 << 20

// Read reads the file at path.
func Read(path string) (*Baseline, error) {
	src, err := strictyaml.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return Decode(path, src)
}

// Write replaces the file at path, and makes its folder where it is missing.
func (b *Baseline) Write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, b.Encode())
}

package gobench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
)

// Input is one file to judge. Errors mention its name.
type Input struct {
	Name string
	io.Reader
}

// sizeLimit bounds a file, in bytes.
const sizeLimit = 64 << 20

// placeKeys lists the settings that must agree for a comparison, besides package
// and name. Others, such as a commit, may differ.
const placeKeys = "goos,goarch,cpu,scenario,environment"

// InterleavedKey is the setting, "interleaved: ID", with which the two files of a
// comparison begin that measured both in turn. The ID is that of the comparison.
const InterleavedKey = "interleaved"

// bench holds the measurements of one benchmark in both files.
type bench struct {
	pkg, name string
	where     benchproc.Key
	whereSide int
	whereAt   position // of the first measurement there
	units     []string // tidy, in the order of appearance
	samples   map[string]*[2]sample
}

// sample holds the values of a unit in a file.
type sample struct {
	values []float64
	at     position // of the first value
	time   float64  // of the measurements, in seconds
}

type position struct {
	file string
	line int
}

// files is the content of both files.
type files struct {
	benches    []*bench // in the order of appearance
	units      []string
	meaning    benchfmt.UnitMetadataMap
	mixed      []string     // differences of the places of compared measurements
	processors []Processors // by onlyProcessorsDiffer
	// cpus holds the processors that the files name. interleaved reports that both files
	// have the same ID of a comparison that measured them in turn.
	cpus        []string
	interleaved bool
}

// read parses both files.
func read(inputs [2]Input, o Options) (*files, error) {
	c := &checker{units: map[[2]string]meaning{}}
	var data [2][]byte
	var settings [2][]setting
	for i, in := range inputs {
		b, err := io.ReadAll(io.LimitReader(in, sizeLimit+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", in.Name, err)
		}
		if len(b) > sizeLimit {
			return nil, fmt.Errorf("read %s: the file exceeds %d MiB", in.Name, sizeLimit>>20)
		}
		data[i], settings[i] = c.check(in.Name, b)
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	p, err := newParser(inputs, settings, o)
	if err != nil {
		return nil, err
	}
	for side := range inputs {
		if err := p.file(side, data[side]); err != nil {
			return nil, err
		}
	}
	f := &p.files
	f.meaning = p.reader.Units()
	f.interleaved = len(p.turns) == 1 && p.turns[0] != ""
	f.processors = f.onlyProcessorsDiffer()
	if !o.AllowMissing {
		p.errs = append(p.errs, p.strayPackages()...)
		p.errs = append(p.errs, f.missing(inputs)...)
	}
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return f, nil
}

// parser reads checked files.
type parser struct {
	files
	inputs      [2]Input
	settings    [2][]setting
	allowMixed  bool
	errs        Errors
	name, where *benchproc.Projection
	reader      benchfmt.Reader // one, so that units mean the same in both
	byKey       map[benchproc.Key]*bench
	differ      map[[2]benchproc.Key]bool
	known       map[string]bool // units
	turns       []string        // values of the setting "interleaved", of which there is one if both were measured in turn
}

func newParser(inputs [2]Input, settings [2][]setting, o Options) (*parser, error) {
	p := &parser{
		inputs: inputs, settings: settings, allowMixed: o.AllowMixed,
		byKey: map[benchproc.Key]*bench{}, differ: map[[2]benchproc.Key]bool{}, known: map[string]bool{},
	}
	var projections benchproc.ProjectionParser
	var err, err2 error
	p.name, err = projections.Parse("pkg,.fullname", nil)
	p.where, err2 = projections.Parse(placeKeys, nil)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("read benchmarks: %w", err)
	}
	return p, nil
}

// file reads the lines that the checker kept of one file.
func (p *parser) file(side int, data []byte) error {
	p.reader.Reset(bytes.NewReader(data), p.inputs[side].Name)
	for p.reader.Scan() {
		file, line := p.reader.Result().Pos()
		switch r := p.reader.Result().(type) {
		case *benchfmt.SyntaxError:
			p.errs = append(p.errs, &InputError{File: file, Line: line, Column: 1, Problem: r.Msg, Hint: hintFile})
		case *benchfmt.Result:
			p.result(side, position{file, line}, r)
		}
	}
	if err := p.reader.Err(); err != nil {
		return fmt.Errorf("read benchmarks: %w", err)
	}
	return nil
}

func (p *parser) result(side int, at position, r *benchfmt.Result) {
	key, place := p.name.Project(r), p.where.Project(r)
	b := p.byKey[key]
	if b == nil {
		b = &bench{pkg: r.GetConfig("pkg"), name: r.Name.String(), where: place, whereSide: side, whereAt: at, samples: map[string]*[2]sample{}}
		if b.name == "" {
			b.name = "Benchmark"
		}
		p.byKey[key] = b
		p.benches = append(p.benches, b)
	}
	if pair := [2]benchproc.Key{b.where, place}; place != b.where && !p.differ[pair] {
		p.differ[pair] = true
		p.mix(b, side, at, place)
	}
	if cpu := r.GetConfig("cpu"); cpu != "" && !slices.Contains(p.cpus, cpu) {
		p.cpus = append(p.cpus, cpu)
	}
	if turn := r.GetConfig(InterleavedKey); !slices.Contains(p.turns, turn) {
		p.turns = append(p.turns, turn)
	}
	time := timeOf(r)
	for _, v := range r.Values {
		if b.samples[v.Unit] == nil {
			b.samples[v.Unit] = &[2]sample{}
			b.units = append(b.units, v.Unit)
		}
		if !p.known[v.Unit] {
			p.known[v.Unit] = true
			p.units = append(p.units, v.Unit)
		}
		s := &b.samples[v.Unit][side]
		if len(s.values) == 0 {
			s.at = at
		}
		s.values = append(s.values, v.Value)
		s.time += time
	}
}

// timeOf returns the time of a measurement in seconds: its iterations times the
// time of one, or 0 if it has none.
func timeOf(r *benchfmt.Result) float64 {
	seconds, _ := r.Value("sec/op")
	return float64(r.Iters) * seconds
}

// mix records that a benchmark was measured in different places.
func (p *parser) mix(b *bench, side int, at position, place benchproc.Key) {
	text := differences(b.where, place)
	p.mixed = append(p.mixed, text)
	if p.allowMixed {
		return
	}
	err := &InputError{File: at.file, Line: at.line, Column: 1,
		Problem: fmt.Sprintf("measured in a different environment than at %s:%d: %s", b.whereAt.file, b.whereAt.line, text),
		Hint:    "measure both in the same environment, or compare them anyway with --allow-mixed"}
	for _, field := range benchproc.NonSingularFields([]benchproc.Key{b.where, place}) {
		s, file := governing(p.settings[side], field.Name, at.line), at.file
		if !s.stray {
			s, file = governing(p.settings[b.whereSide], field.Name, b.whereAt.line), b.whereAt.file
		}
		if s.stray { // it explains more than the result
			err.File, err.Line = file, s.line
			err.Problem = fmt.Sprintf("%q is between results and changes the %s of those below it", clip(s.key+": "+s.value), s.key)
			err.Hint = "if it is log output, send it elsewhere; if they were measured in a different environment, use --allow-mixed"
		}
	}
	p.errs = append(p.errs, err)
}

// strayPackages returns errors for lines between results that begin a package which
// the other file lacks: they may be log output, and the results after them would
// be attributed to that package.
func (p *parser) strayPackages() (errs Errors) {
	var packages [2]map[string]bool
	for side := range packages {
		packages[side] = map[string]bool{}
		for _, s := range p.settings[side] {
			packages[side][s.value] = packages[side][s.value] || s.key == "pkg"
		}
	}
	for side, all := range p.settings {
		for _, s := range all {
			if s.key == "pkg" && s.stray && !packages[1-side][s.value] {
				errs = append(errs, &InputError{File: p.inputs[side].Name, Line: s.line, Column: 1,
					Problem: fmt.Sprintf("%q is between results, and %s does not have this package", clip("pkg: "+s.value), p.inputs[1-side].Name),
					Hint:    "if it is log output, send it elsewhere; otherwise compare only the common benchmarks with --allow-missing"})
			}
		}
	}
	return errs
}

// governing returns the setting of a key that applies to a line.
func governing(settings []setting, key string, line int) (last setting) {
	for _, s := range settings {
		if s.key == key && s.line < line {
			last = s
		}
	}
	return last
}

// missing returns errors for the measurements that only the old file has.
func (f *files) missing(inputs [2]Input) Errors {
	file := inputs[1].Name
	errs, explained := f.processorErrors(inputs)
	for _, b := range f.benches {
		if explained[b] {
			continue
		}
		var units []string
		var at position
		both := false
		for _, u := range b.units {
			s := b.samples[u]
			if len(s[0].values) > 0 && len(s[1].values) == 0 {
				units = append(units, u)
				at = s[0].at
			}
			both = both || len(s[1].values) > 0
		}
		if len(units) == 0 {
			continue
		}
		what := "benchmark " + clip(b.name)
		if both {
			what = strings.Join(units, ", ") + " of " + what
		}
		errs = append(errs, &InputError{File: at.file, Line: at.line, Column: 1, Problem: what + " is missing in " + file,
			Hint: "run the same benchmarks for both files, or compare only the common ones with --allow-missing"})
	}
	return errs
}

// differences describes the differences of two places: `cpu "A" and "B"`.
func differences(a, b benchproc.Key) string {
	var parts []string
	for _, field := range benchproc.NonSingularFields([]benchproc.Key{a, b}) {
		parts = append(parts, fmt.Sprintf("%s %q and %q", field.Name, a.Get(field), b.Get(field)))
	}
	return strings.Join(parts, ", ")
}

package gobench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
)

// Input is one file to judge. Name stands in errors.
type Input struct {
	Name string
	io.Reader
}

// sizeLimit of a file, in bytes.
const sizeLimit = 64 << 20

// alike are what measurements must agree in to be compared, besides package and
// name: other lines, such as a commit's, may differ.
const alike = "goos,goarch,cpu,scenario,environment"

// bench is what the files say of one benchmark.
type bench struct {
	pkg, name string
	where     benchproc.Key
	whereAt   position // where that was seen first
	units     []string // tidy, in the order of appearance
	samples   map[string]*[2]sample
}

// sample are the values of a unit in a file, and the line of the first.
type sample struct {
	values []float64
	at     position
}

type position struct {
	file string
	line int
}

// files are both, read.
type files struct {
	benches []*bench // in the order of appearance
	units   []string
	meaning benchfmt.UnitMetadataMap
	mixed   []string // in what compared measurements differ
}

// read parses both files, or says what is wrong with them.
func read(inputs [2]Input, o Options) (*files, error) {
	c := &checker{units: map[[2]string]meaning{}}
	var data [2][]byte
	for i, in := range inputs {
		b, err := io.ReadAll(io.LimitReader(in, sizeLimit+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", in.Name, err)
		}
		if len(b) > sizeLimit {
			return nil, fmt.Errorf("read %s: longer than %d MiB, which are allowed", in.Name, sizeLimit>>20)
		}
		data[i] = b
		c.check(in.Name, b)
	}
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return parse(inputs, data, o)
}

// parse reads files that were checked.
func parse(inputs [2]Input, data [2][]byte, o Options) (*files, error) {
	var parser benchproc.ProjectionParser
	name, err := parser.Parse("pkg,.fullname", nil)
	where, err2 := parser.Parse(alike, nil)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("read benchmarks: %w", err)
	}
	f := &files{}
	var errs Errors
	byKey := map[benchproc.Key]*bench{}
	differ, units := map[[2]benchproc.Key]bool{}, map[string]bool{}
	reader := new(benchfmt.Reader) // one, so that units mean the same in both
	for side, in := range inputs {
		reader.Reset(bytes.NewReader(data[side]), in.Name)
		for reader.Scan() {
			file, line := reader.Result().Pos()
			at := position{file, line}
			switch r := reader.Result().(type) {
			case *benchfmt.SyntaxError:
				errs = append(errs, &InputError{File: file, Line: line, Column: 1, Problem: r.Msg, Allowed: allowedFile})
			case *benchfmt.Result:
				key, place := name.Project(r), where.Project(r)
				b := byKey[key]
				if b == nil {
					b = &bench{pkg: r.GetConfig("pkg"), name: r.Name.String(), where: place, whereAt: at, samples: map[string]*[2]sample{}}
					if b.name == "" {
						b.name = "Benchmark"
					}
					byKey[key] = b
					f.benches = append(f.benches, b)
				}
				if pair := [2]benchproc.Key{b.where, place}; place != b.where && !differ[pair] {
					differ[pair] = true
					text := differences(b.where, place)
					f.mixed = append(f.mixed, text)
					if !o.AllowMixed {
						errs = append(errs, &InputError{File: file, Line: line, Column: 1,
							Problem: fmt.Sprintf("measured elsewhere than at %s:%d: %s", b.whereAt.file, b.whereAt.line, text),
							Allowed: "the same on both sides, or --allow-mixed"})
					}
				}
				for _, v := range r.Values {
					if b.samples[v.Unit] == nil {
						b.samples[v.Unit] = &[2]sample{}
						b.units = append(b.units, v.Unit)
					}
					if !units[v.Unit] {
						units[v.Unit] = true
						f.units = append(f.units, v.Unit)
					}
					s := &b.samples[v.Unit][side]
					if len(s.values) == 0 {
						s.at = at
					}
					s.values = append(s.values, v.Value)
				}
			}
		}
		if err := reader.Err(); err != nil {
			return nil, fmt.Errorf("read benchmarks: %w", err)
		}
	}
	f.meaning = reader.Units()
	if !o.AllowMissing {
		errs = append(errs, f.missing(inputs[1].Name)...)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return f, nil
}

// missing are the measurements of the old file that the new one has not.
func (f *files) missing(file string) Errors {
	var errs Errors
	for _, b := range f.benches {
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
			Allowed: "the same benchmarks in both, or --allow-missing"})
	}
	return errs
}

// differences names what two places differ in: `cpu "A" and "B"`.
func differences(a, b benchproc.Key) string {
	var parts []string
	for _, field := range benchproc.NonSingularFields([]benchproc.Key{a, b}) {
		parts = append(parts, fmt.Sprintf("%s %q and %q", field.Name, a.Get(field), b.Get(field)))
	}
	return strings.Join(parts, ", ")
}

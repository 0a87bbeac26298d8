package results_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"floodgate/results"
)

// stored returns the file of a small complete run.
func stored(t *testing.T) []byte {
	t.Helper()
	s, run, _ := create(t)
	for i := range run.Trials {
		run.Trials[i].Stages = nil
	}
	appendAll(t, s, run.Trials)
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(s.Dir(), results.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestParseNamesTheDamagedLine(t *testing.T) {
	src := stored(t) // header, 12 trials and footer
	lines := func(change func(l [][]byte) [][]byte) []byte {
		l := bytes.SplitAfter(bytes.Clone(src), []byte("\n"))
		return bytes.Join(change(l), nil)
	}
	swap := func(line int, old, new string) []byte {
		return lines(func(l [][]byte) [][]byte {
			if !bytes.Contains(l[line-1], []byte(old)) {
				t.Fatalf("line %d has no %q", line, old)
			}
			l[line-1] = bytes.Replace(l[line-1], []byte(old), []byte(new), 1)
			return l
		})
	}
	for name, test := range map[string]struct {
		src  []byte
		want string
	}{
		"empty":                 {nil, "run.jsonl:1: the header is missing"},
		"torn header":           {src[:100], "run.jsonl:1: the header is missing"},
		"not a run":             {[]byte("{}\n"), "run.jsonl:1: header: the schema is missing"},
		"no JSON":               {[]byte("hello\n"), "run.jsonl:1: header: invalid character"},
		"other schema":          {swap(1, `"schema":2`, `"schema":1`), "run.jsonl:1: header: schema 1 is not supported (this version reads schema 2)"},
		"other schema's fields": {[]byte(`{"schema":3,"new":true}` + "\n"), "run.jsonl:1: header: schema 3 is not supported (this version reads schema 2)"},
		"changed scenario":      {swap(1, `"blocks":6`, `"blocks":7`), "run.jsonl:1: header: the scenario's hash"},
		"unknown header field":  {swap(1, `"planned":`, `"sead":1,"planned":`), `run.jsonl:1: header: json: unknown field "sead"`},
		"torn inside":           {swap(3, "}\n", "\n"), "run.jsonl:3: trial: the line ends early"},
		"two in a line":         {swap(4, "\n", ""), "run.jsonl:4: trial: "},
		"blank line":            {swap(5, "\n", "\n\n"), "run.jsonl:6: trial: the line ends early"},
		"unknown field":         {swap(6, `"variant":`, `"varient":"x","variant":`), `run.jsonl:6: trial: json: unknown field "varient"`},
		"wrong type":            {swap(7, `"index":5`, `"index":"5"`), "run.jsonl:7: trial: json: cannot unmarshal string"},
		"wrong outcome":         {swap(8, `"outcome":"ok"`, `"outcome":"okay"`), `run.jsonl:8: trial 6: unknown outcome "okay"`},
		"index out of plan":     {swap(9, `"index":7`, `"index":70`), "run.jsonl:9: trial index 70"},
		"twice":                 {swap(9, `"index":7`, `"index":2`), "run.jsonl:9: trial 2 is already on line 4"},
		"changed trial":         {swap(10, `"makespan_ns":`, `"makespan_ns":1`), "run.jsonl:14: footer: the lines before it have SHA-256"},
		"missing trial":         {lines(func(l [][]byte) [][]byte { return append(l[:5:5], l[6:]...) }), "run.jsonl:13: footer: complete true with 12 trials: there are 11 of 12"},
		"after the footer":      {append(bytes.Clone(src), "{}\n"...), "run.jsonl:15: a line after the footer"},
		"zeros inside":          {swap(11, `{"index"`, "\x00\x00\x00"), "run.jsonl:11: trial: invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := results.Parse("run.jsonl", test.src)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if line := new(results.LineError); !errors.As(err, &line) {
				t.Errorf("%T is no LineError", err)
			}
		})
	}
	if run, err := results.Parse("run.jsonl", src); err != nil || !run.Complete {
		t.Errorf("unchanged: %v, %v", run, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"schema":2,"id":"a","scenario":{},"scenario_hash":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","planned":1}` + "\n" +
		`{"index":0,"variant":"v","outcome":"ok","makespan_ns":1}` + "\n" + `{"complete":true,"trials":1,"sha256":""}` + "\n"))
	f.Add([]byte(`{"schema":2,"id":"a","scenario":{},"scenario_hash":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","planned":3}` + "\n" +
		`{"index":2,"variant":"v","outcome":"crashed","stages":{"item":{"count":1,"hdr":"HISTFAAA"}}}` + "\n" + `{"index":1`))
	f.Fuzz(func(t *testing.T, src []byte) {
		run, err := results.Parse("x", src)
		if err != nil {
			line := new(results.LineError)
			if !errors.As(err, &line) || line.Line < 1 || line.Line > bytes.Count(src, []byte("\n"))+1 {
				t.Fatalf("error without a line: %v", err)
			}
			return
		}
		if len(run.Trials) > run.Header.Planned || run.Complete && len(run.Trials) != run.Header.Planned {
			t.Fatalf("%d of %d trials, complete %v", len(run.Trials), run.Header.Planned, run.Complete)
		}
		for _, trial := range run.Trials {
			for _, h := range trial.Stages {
				_, _ = h.HDR() // must not panic
			}
		}
	})
}

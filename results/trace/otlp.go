package trace

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// The JSON encoding of OTLP (opentelemetry.io/docs/specs/otlp): IDs are hexadecimal, and
// 64-bit numbers are strings.
type (
	tracesData struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []jsonSpan `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	jsonSpan struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		ParentSpanID string     `json:"parentSpanId,omitempty"`
		Name         string     `json:"name"`
		Kind         Kind       `json:"kind"`
		Start        integer    `json:"startTimeUnixNano"`
		End          integer    `json:"endTimeUnixNano"`
		Attributes   []keyValue `json:"attributes,omitempty"`
		Status       *status    `json:"status,omitempty"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
		Int    *integer `json:"intValue,omitempty"`
	}
	status struct {
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
)

const (
	serviceName = "service.name"
	scopeName   = "floodgate"
	statusError = 2
)

// integer is a 64-bit number, which is a string in JSON. Readers also accept a number.
type integer int64

// MarshalJSON returns the number as a string.
func (n integer) MarshalJSON() ([]byte, error) {
	return []byte(`"` + strconv.FormatInt(int64(n), 10) + `"`), nil
}

// UnmarshalJSON reads a string or a number.
func (n *integer) UnmarshalJSON(text []byte) error {
	text = bytes.Trim(text, `"`)
	x, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("want a whole number (got %.40q)", text)
	}
	*n = integer(x)
	return nil
}

// Encode writes a trace as one line, which a collector accepts as a request.
func Encode(w io.Writer, t Trace) error {
	var data tracesData
	at := map[string]int{}
	for _, s := range t.Spans {
		i, known := at[s.Service]
		if !known {
			i = len(data.ResourceSpans)
			at[s.Service] = i
			data.ResourceSpans = append(data.ResourceSpans, resourceSpans{
				Resource:   resource{[]keyValue{{serviceName, value{String: &s.Service}}}},
				ScopeSpans: []scopeSpans{{Scope: scope{scopeName}}},
			})
		}
		to := &data.ResourceSpans[i].ScopeSpans[0].Spans
		*to = append(*to, jsonOf(s))
	}
	line, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func jsonOf(s Span) jsonSpan {
	j := jsonSpan{TraceID: s.Trace.String(), SpanID: s.ID.String(), Name: s.Name, Kind: s.Kind, Start: integer(s.Start), End: integer(s.End)}
	if s.Parent != (SpanID{}) {
		j.ParentSpanID = s.Parent.String()
	}
	for _, a := range s.Attributes {
		v := value{}
		switch x := a.Value.(type) {
		case string:
			v.String = &x
		case bool:
			v.Bool = &x
		case int64:
			v.Int = (*integer)(&x)
		}
		j.Attributes = append(j.Attributes, keyValue{a.Key, v})
	}
	if s.Error != "" {
		j.Status = &status{Code: statusError, Message: s.Error}
	}
	return j
}

// maxLine bounds a line, in bytes.
const maxLine = 16 << 20

// Read reads the traces of a file, one a line. The end of a line that the writer could not
// finish is ignored. Another line that is not a trace is an error, with the traces before it.
func Read(r io.Reader) ([]Trace, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var all []Trace
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return all, nil // also within a line, which is incomplete
		}
		if err != nil {
			return all, fmt.Errorf("line %d: %w", n, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		t, err := Parse(line)
		if err != nil {
			return all, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, t)
	}
}

// readLine returns a line without its end, or io.EOF if it has none.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("it is longer than %d MiB", maxLine>>20)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte{'\n'}), err
		}
	}
}

// Parse reads one trace from its line. The result passes [Trace.Check].
func Parse(line []byte) (Trace, error) {
	var data tracesData
	if err := json.Unmarshal(line, &data); err != nil {
		return Trace{}, fmt.Errorf("not a trace in OTLP's JSON encoding: %w", err)
	}
	var t Trace
	for _, r := range data.ResourceSpans {
		service := ""
		for _, a := range r.Resource.Attributes {
			if a.Key == serviceName && a.Value.String != nil {
				service = *a.Value.String
			}
		}
		for _, sc := range r.ScopeSpans {
			for _, j := range sc.Spans {
				s, err := spanOf(j)
				if err != nil {
					return Trace{}, fmt.Errorf("span %.40q: %w", j.Name, err)
				}
				s.Service = service
				t.Spans = append(t.Spans, s)
			}
		}
	}
	return t, t.Check()
}

func spanOf(j jsonSpan) (Span, error) {
	s := Span{Name: j.Name, Kind: j.Kind, Start: int64(j.Start), End: int64(j.End)}
	for _, id := range []struct {
		name, text string
		to         []byte
		optional   bool
	}{{"traceId", j.TraceID, s.Trace[:], false}, {"spanId", j.SpanID, s.ID[:], false}, {"parentSpanId", j.ParentSpanID, s.Parent[:], true}} {
		if id.text == "" && id.optional {
			continue
		}
		if b, err := hex.DecodeString(id.text); err != nil || len(b) != len(id.to) {
			return Span{}, fmt.Errorf("%s: want %d hexadecimal digits (got %.40q)", id.name, 2*len(id.to), id.text)
		} else {
			copy(id.to, b)
		}
	}
	if s.Start < 0 || s.End < 0 || s.End-s.Start > math.MaxInt64/2 {
		return Span{}, fmt.Errorf("it lasts from %d to %d", s.Start, s.End)
	}
	for _, a := range j.Attributes {
		switch v := a.Value; {
		case v.String != nil:
			s.Attributes = append(s.Attributes, Attribute{a.Key, *v.String})
		case v.Bool != nil:
			s.Attributes = append(s.Attributes, Attribute{a.Key, *v.Bool})
		case v.Int != nil:
			s.Attributes = append(s.Attributes, Attribute{a.Key, int64(*v.Int)})
		}
	}
	if j.Status != nil && j.Status.Code == statusError {
		s.Error = j.Status.Message
		if s.Error == "" {
			s.Error = "unknown"
		}
	}
	return s, nil
}

package results

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Series is the time series of a trial: a value of each column at each time.
//
//	{"at_ms": [100, 200], "columns": {"arrived": [3, 7], "reports_in_flight": [3, 4], …}}
//
// 3 reports had come after 100 ms, 7 after 200 ms, of which 4 were in flight then.
type Series struct {
	// At are the times since the service began to serve, or the items began, in
	// milliseconds.
	At []int64 `json:"at_ms"`
	// Columns holds the values; a column that an older record lacks is missing.
	Columns map[Column][]int64 `json:"columns"`
	// Metrics holds metrics of an HTTP service as it reports them itself, by their entry
	// in sut.metrics; nil means none.
	Metrics map[string]Metric `json:"metrics,omitempty"`
}

// Metric is a metric that was scraped about once a second. Scrapes that failed, or
// whose value was not a number, are missing.
type Metric struct {
	// At are the times of the scrapes on the axis of the [Series], in milliseconds.
	At     []int64   `json:"at_ms"`
	Values []float64 `json:"values"`
}

// Column identifies a column of a [Series]. Its only values are the variables of
// this package and those of [ErrorColumn], so that a misspelled name does not
// compile, and is an error in a record.
type Column struct {
	name  string
	total bool
}

// all holds the columns of a new Series, in the order of their declaration.
var all []Column

func column(name string, total bool) Column {
	c := Column{name, total}
	all = append(all, c)
	return c
}

// level declares a column of momentary values.
func level(name string) Column { return column(name, false) }

// total declares a column of cumulative counts.
func total(name string) Column { return column(name, true) }

// The columns that the SUT counts itself. ColumnRefused and its variants count
// dials and accepts that failed for lack of descriptors (EMFILE).
var (
	ColumnArrived            = total("arrived") // reports that were admitted
	ColumnShed               = total("shed")    // reports that were rejected
	ColumnDone               = total("done")
	ColumnFailed             = total("failed")
	ColumnReportsInFlight    = level("reports_in_flight")
	ColumnItemsOutstanding   = level("items_outstanding")
	ColumnItemsFetching      = level("items_fetching")
	ColumnItemsWriting       = level("items_writing")
	ColumnSlotsInUse         = level("slots_in_use")
	ColumnSlotLimit          = level("slot_limit") // 0 means that reports share no limit
	ColumnGoroutines         = level("goroutines")
	ColumnUpstreamConnecting = level("upstream_connecting")
	ColumnUpstreamOpen       = level("upstream_open")
	ColumnMongoConnecting    = level("mongo_connecting")
	ColumnMongoOpen          = level("mongo_open")
	ColumnMongoInUse         = level("mongo_in_use")
	ColumnMongoIdle          = level("mongo_idle")
	ColumnAccepted           = level("accepted") // connections of clients
	ColumnErrors             = total("errors")
	ColumnRefused            = total("emfile")
	ColumnRefusedUpstream    = total("emfile_upstream")
	ColumnRefusedMongo       = total("emfile_mongo")
	ColumnRefusedAccept      = total("emfile_accept")
)

// The columns that are observed from outside; 0 descriptors means not observed.
var (
	ColumnDescriptors         = level("descriptors")
	ColumnDescriptorsUpstream = level("descriptors_upstream")
	ColumnDescriptorsMongo    = level("descriptors_mongo")
	ColumnDescriptorsOther    = level("descriptors_other")
	// ColumnClients counts the connections that an HTTP service has accepted and that are
	// established. Other series do not have it.
	ColumnClients = Column{name: "descriptors_clients"}
	// ColumnOwnDescriptors counts the descriptors of an HTTP service without the connections
	// that it has accepted, both seen at one look; 0 means no look at them. Other series do
	// not have it.
	ColumnOwnDescriptors = Column{name: "descriptors_own"}
	// ColumnPeakInFlight is the highest number of requests to an HTTP service that were in
	// flight at once so far. Other series do not have it.
	ColumnPeakInFlight = Column{name: "reports_in_flight_peak"}
	ColumnThreads      = level("threads")
	ColumnRSS          = level("rss_bytes")
)

const errorPrefix = "errors_"

// ErrorColumn returns the column that counts the items' errors of one type. A
// Series has it only if there were such errors.
func ErrorColumn(kind string) Column {
	return Column{errorPrefix + strings.ReplaceAll(kind, " ", "_"), true}
}

// RefusedAt returns the column of the refusals at a side: upstream, mongo or accept.
func RefusedAt(side string) Column {
	switch side {
	case "upstream":
		return ColumnRefusedUpstream
	case "mongo":
		return ColumnRefusedMongo
	}
	return ColumnRefusedAccept
}

// Columns returns the columns of a new Series.
func Columns() []Column { return slices.Clone(all) }

// ParseColumn returns the column with the given name, or an error if there is none.
func ParseColumn(name string) (Column, error) {
	known := slices.Concat(all, []Column{ColumnClients, ColumnOwnDescriptors, ColumnPeakInFlight})
	i := slices.IndexFunc(known, func(c Column) bool { return c.name == name })
	switch {
	case i >= 0:
		return known[i], nil
	case strings.HasPrefix(name, errorPrefix):
		return Column{name, true}, nil
	}
	return Column{}, fmt.Errorf("unknown column %q of a time series", name)
}

// String returns the name of the column in records.
func (c Column) String() string { return c.name }

// Total reports whether the column is a cumulative count since the beginning of
// the trial, rather than a momentary value.
func (c Column) Total() bool { return c.total }

// MarshalText returns the name of the column.
func (c Column) MarshalText() ([]byte, error) { return []byte(c.name), nil }

// UnmarshalText parses the name of a column as [ParseColumn] does.
func (c *Column) UnmarshalText(text []byte) (err error) {
	*c, err = ParseColumn(string(text))
	return err
}

// Only makes an empty series have the given columns instead of all: others are not
// measured, which is not the same as zero.
func (s *Series) Only(columns ...Column) {
	s.Columns = make(map[Column][]int64, len(columns))
	for _, c := range columns {
		s.Columns[c] = nil
	}
}

// Append adds a sample. A column that is missing in values, or in earlier
// samples, is zero there.
func (s *Series) Append(at time.Duration, values map[Column]int64) {
	if s.Columns == nil {
		s.Only(all...)
	}
	for c := range values {
		if _, known := s.Columns[c]; !known {
			s.Columns[c] = make([]int64, len(s.At))
		}
	}
	s.At = append(s.At, at.Milliseconds())
	for c, column := range s.Columns {
		s.Columns[c] = append(column, values[c])
	}
}

// MaxSamples bounds the time series of a trial: ten minutes of ticks of 100 ms. A longer
// trial has fewer samples per second.
const MaxSamples = 6000

// Sampling collects a time series in bounded memory. The zero value is empty.
type Sampling struct {
	Series
	every int // the number of ticks per sample; zero means 1
	skip  int // the number of ticks to skip before the next sample
}

// Add appends a sample, unless the tick is to be skipped.
func (s *Sampling) Add(at time.Duration, values map[Column]int64) {
	if s.skip > 0 {
		s.skip--
		return
	}
	if len(s.At) == MaxSamples {
		s.thin()
	}
	s.skip = max(s.every-1, 0)
	s.Append(at, values)
}

// thin drops every other sample and halves the rate of further ones.
func (s *Sampling) thin() {
	s.every = 2 * max(s.every, 1)
	s.At = halved(s.At)
	for c, values := range s.Columns {
		s.Columns[c] = halved(values)
	}
}

func halved(values []int64) []int64 {
	for i := range len(values) / 2 {
		values[i] = values[2*i]
	}
	return values[:len(values)/2]
}

// Time returns the time of a sample since the service began to serve.
func (s Series) Time(i int) time.Duration { return time.Duration(s.At[i]) * time.Millisecond }

// validate checks that every column has a value at each time, and that times rise.
func (s *Series) validate() error {
	if !slices.IsSorted(s.At) || len(s.At) > 0 && s.At[0] < 0 {
		return errors.New("want times ≥ 0 in ascending order")
	}
	for c, values := range s.Columns {
		if len(values) != len(s.At) {
			return fmt.Errorf("column %s has %d values at %d times", c, len(values), len(s.At))
		}
	}
	return nil
}

// Known reports whether the series has the value of the column at a sample.
func (s Series) Known(c Column, i int) bool { return i < len(s.Columns[c]) }

// Value returns the value of a column at a sample; 0 where it is not known.
func (s Series) Value(c Column, i int) int64 {
	if !s.Known(c, i) {
		return 0
	}
	return s.Columns[c][i]
}

// Last returns the last value of a column, or false if it has none.
func (s Series) Last(c Column) (int64, bool) {
	values := s.Columns[c]
	if len(values) == 0 {
		return 0, false
	}
	return values[len(values)-1], true
}

// NewHistogram encodes h, whose values are nanoseconds, without loss.
func NewHistogram(h *hdrhistogram.Histogram) (Histogram, error) {
	data, err := encodeHistogram(h.Export())
	if err != nil {
		return Histogram{}, fmt.Errorf("encode histogram: %w", err)
	}
	enc := Histogram{Count: h.TotalCount(), Data: data}
	if enc.Count > 0 {
		enc.Mean = time.Duration(h.Mean())
		enc.P50 = time.Duration(h.ValueAtQuantile(50))
		enc.P95 = time.Duration(h.ValueAtQuantile(95))
		enc.P99 = time.Duration(h.ValueAtQuantile(99))
		enc.Max = time.Duration(h.Max())
	}
	return enc, nil
}

// HDR decodes the histogram, with its original geometry and counts.
func (h Histogram) HDR() (*hdrhistogram.Histogram, error) {
	if h.Data == "" {
		return nil, errors.New("decode histogram: data are missing")
	}
	dec, err := hdrhistogram.Decode([]byte(h.Data))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if dec.TotalCount() != h.Count {
		return nil, fmt.Errorf("decode histogram: it holds %d values, but its record has count %d", dec.TotalCount(), h.Count)
	}
	return dec, nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// exposition is the format of scrapes and final values.
var exposition = expfmt.NewFormat(expfmt.TypeProtoDelim)

// snapshot holds the metrics of one process at one time.
type snapshot struct {
	source   int // the number of the process, from 1 on
	at       time.Time
	final    bool                // whether the process ended with these values
	families []*dto.MetricFamily // by name, each metric with the time
	samples  model.Vector        // the same as samples
	gone     []model.Metric      // series that the previous snapshot had and this one lacks
}

// tracker makes snapshots of one process.
type tracker struct {
	source int
	series map[model.Fingerprint]model.Metric // of the previous snapshot
}

// snapshot decodes the metrics of a moment.
func (t *tracker) snapshot(text []byte, at time.Time, final bool) (snapshot, error) {
	s := snapshot{source: t.source, at: at, final: final}
	decoder := expfmt.NewDecoder(bytes.NewReader(text), exposition)
	for {
		f := new(dto.MetricFamily)
		if err := decoder.Decode(f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return snapshot{}, fmt.Errorf("decode metrics: %w", err)
		}
		for _, m := range f.Metric {
			m.TimestampMs = new(at.UnixMilli())
			classic(m.Histogram)
		}
		s.families = append(s.families, f)
	}
	slices.SortFunc(s.families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	var err error
	if s.samples, err = expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(at.UnixNano())}, s.families...); err != nil {
		return snapshot{}, fmt.Errorf("decode metrics: %w", err)
	}
	now := make(map[model.Fingerprint]model.Metric, len(s.samples))
	for _, sample := range s.samples {
		now[sample.Metric.Fingerprint()] = sample.Metric
	}
	for id, metric := range t.series {
		if now[id] == nil {
			s.gone = append(s.gone, metric)
		}
	}
	t.series = now
	return s, nil
}

// classic removes the native buckets of a histogram, which many receivers do not know. The
// classic ones remain.
func classic(h *dto.Histogram) {
	if h == nil || len(h.Bucket) == 0 {
		return
	}
	h.Schema, h.ZeroThreshold, h.ZeroCount, h.ZeroCountFloat = nil, nil, nil, nil
	h.PositiveSpan, h.PositiveDelta, h.PositiveCount = nil, nil, nil
	h.NegativeSpan, h.NegativeDelta, h.NegativeCount = nil, nil, nil
	h.Exemplars = nil
}

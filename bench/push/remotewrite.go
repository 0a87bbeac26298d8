package main

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
)

// openRemoteWrite makes a receiver one of Prometheus remote write. It uses version 1 of the
// protocol, which every receiver understands.
func openRemoteWrite(_ context.Context, r *receiver, labels map[string]string) error {
	u, err := url.Parse(r.url)
	if err != nil {
		return err
	}
	base := url.URL{Scheme: u.Scheme, Host: u.Host}
	api, err := remote.NewAPI(base.String(), remote.WithAPIHTTPClient(r.client), remote.WithAPIPath(u.Path))
	if err != nil {
		return err
	}
	r.export = func(ctx context.Context, batch []snapshot) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		// A delivery repeats requests, so the client must not.
		once := remote.WithWriteRetryCallback(remote.RetryCallback(cancel))
		_, err := api.Write(ctx, remote.WriteV1MessageType, writeRequest(batch, labels), once)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return cause
		}
		return err
	}
	return nil
}

// writeRequest returns the samples of snapshots by series.
func writeRequest(batch []snapshot, labels map[string]string) *prompb.WriteRequest {
	var request prompb.WriteRequest
	index := map[string]int{} // of the series in the request
	add := func(s snapshot, m model.Metric, x float64) {
		all, key := labelsOf(m, labels, s.source)
		i, ok := index[key]
		if !ok {
			i = len(request.Timeseries)
			index[key] = i
			request.Timeseries = append(request.Timeseries, prompb.TimeSeries{Labels: all})
		}
		series := &request.Timeseries[i]
		series.Samples = append(series.Samples, prompb.Sample{Timestamp: s.at.UnixMilli(), Value: x})
	}
	for _, s := range batch {
		for _, sample := range s.samples {
			add(s, sample.Metric, float64(sample.Value))
		}
		for _, m := range s.gone {
			add(s, m, math.Float64frombits(value.StaleNaN))
		}
	}
	return &request
}

// labelsOf returns the labels of a series in order, and a text that identifies them. The
// series' own labels win.
func labelsOf(m model.Metric, labels map[string]string, source int) ([]prompb.Label, string) {
	all := make([]prompb.Label, 0, len(m)+len(labels))
	for name, text := range m {
		all = append(all, prompb.Label{Name: string(name), Value: string(text)})
	}
	for name, text := range labels {
		if _, ok := m[model.LabelName(name)]; ok {
			continue
		}
		if name == "instance" {
			text = instance(text, source)
		}
		all = append(all, prompb.Label{Name: name, Value: text})
	}
	slices.SortFunc(all, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	var key strings.Builder
	for _, l := range all {
		fmt.Fprintf(&key, "%q=%q,", l.Name, l.Value)
	}
	return all, key.String()
}

// instance returns the label of a process: the first one of a command has the plain name.
func instance(name string, source int) string {
	if source == 1 {
		return name
	}
	return fmt.Sprintf("%s/%d", name, source)
}

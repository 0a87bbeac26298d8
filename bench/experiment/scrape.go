package experiment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"floodgate/bench/sut"
	"floodgate/mockupstream/strictyaml"
	"floodgate/results"
	"floodgate/scenarios"
)

const (
	// scrapeInterval is the least time between two scrapes. A trial that would have more
	// than results.MaxSamples has them less often.
	scrapeInterval = time.Second
	scrapeTimeout  = 5 * time.Second
	// maxScrape bounds the size of the metrics, in bytes.
	maxScrape = 16 << 20
)

// scraper reads the metrics of an HTTP service that join its time series. It keeps one
// connection, which is open before descriptors are first counted and closed before they
// are last counted, so that it never looks like a leak.
type scraper struct {
	url       string
	path      string
	chosen    []string // the entries of sut.metrics
	selectors []scenarios.Selector
	optional  bool // entries that the service lacks are not missed
	interval  time.Duration
	transport *http.Transport

	mu      sync.Mutex
	metrics map[string]results.Metric
	offered map[string]model.Metric // the series of scrapes that lack an entry, by their text
	scrapes int
	failed  int
	first   error // the first error
}

// newScraper returns a scraper of a service; nil means that the scenario scrapes nothing.
func (h *httpService) newScraper() (*scraper, error) {
	m := h.scenario.SUT.Metrics
	if m == nil {
		return nil, nil
	}
	s := &scraper{
		url: h.url(m.Path), path: m.Path, chosen: m.Chosen(), optional: len(m.Series) == 0,
		interval: max(scrapeInterval, time.Duration(h.scenario.Service.Duration)/results.MaxSamples),
		metrics:  map[string]results.Metric{}, offered: map[string]model.Metric{},
		// One connection; redirects are not followed, so that nothing leaves the service.
		transport: &http.Transport{DialContext: h.targets.DialContext, TLSClientConfig: h.tls, MaxConnsPerHost: 1, DisableCompression: true},
	}
	for _, text := range s.chosen {
		selector, err := scenarios.ParseSelector(text)
		if err != nil {
			return nil, fmt.Errorf("sut.metrics.series: %w", err)
		}
		s.selectors = append(s.selectors, selector)
	}
	return s, nil
}

// await scrapes until the service answers, if only by an error, or has exited, which is
// [sut.ErrExited].
func (s *scraper) await(ctx context.Context, exited <-chan struct{}) error {
	ticker := time.NewTicker(sut.ReadyInterval)
	defer ticker.Stop()
	for {
		_, err := s.get(ctx)
		var unreached *unreachedError
		if !errors.As(err, &unreached) {
			return err
		}
		select {
		case <-exited:
			return sut.ErrExited
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// unreachedError reports that there was no answer.
type unreachedError struct{ error }

func (e *unreachedError) Unwrap() error { return e.error }

// unreached returns the error of a service that did not answer.
func (s *scraper) unreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return &unreachedError{fmt.Errorf("GET %s: %w", s.url, err)}
}

// get returns all series of the service.
func (s *scraper) get(ctx context.Context) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	answer, err := s.transport.RoundTrip(request)
	if err != nil {
		return nil, s.unreached(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxScrape+1))
	switch {
	case err != nil:
		return nil, s.unreached(err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s answers %s; name the path of the service's metrics as sut.metrics.path", s.url, answer.Status)
	case len(body) > maxScrape:
		return nil, fmt.Errorf("GET %s answers more than %d MiB", s.url, maxScrape>>20)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err == nil && len(families) == 0 {
		err = errors.New("no metric found")
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s does not answer in Prometheus' text format (Content-Type %s): %w", s.url, strictyaml.Quote(answer.Header.Get("Content-Type")), err)
	}
	return expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
}

// start scrapes until the function that it returns is called, which scrapes once more, so
// that counters hold every request; began is the origin of the time series.
func (s *scraper) start(began time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(ctx, began)
	}()
	return func() {
		cancel()
		<-ended
		if all, err := s.get(context.Background()); err == nil { // a service that has ended does not answer
			s.add(time.Since(began), all, nil)
		}
	}
}

func (s *scraper) run(ctx context.Context, began time.Time) {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		all, err := s.get(ctx)
		if ctx.Err() != nil {
			return
		}
		s.add(time.Since(began), all, err)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// add adds a scrape to the metrics.
func (s *scraper) add(at time.Duration, all model.Vector, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scrapes++
	if err != nil {
		s.failed++
		if s.first == nil {
			s.first = err
		}
		return
	}
	missing := false
	for i, selector := range s.selectors {
		sum, found := 0.0, false
		for _, sample := range all {
			if selector.Matches(sample.Metric) {
				sum, found = sum+float64(sample.Value), true
			}
		}
		if found && !math.IsNaN(sum) && !math.IsInf(sum, 0) {
			m := s.metrics[s.chosen[i]]
			m.At, m.Values = append(m.At, at.Milliseconds()), append(m.Values, sum)
			s.metrics[s.chosen[i]] = m
		}
		missing = missing || !found
	}
	for _, sample := range all {
		if missing && len(s.offered) < maxOffered {
			s.offered[sample.Metric.String()] = sample.Metric
		}
	}
}

// maxOffered bounds the series that are remembered for an error.
const maxOffered = 10_000

// result returns the metrics, and warnings about what is missing.
func (s *scraper) result() (_ map[string]results.Metric, warnings []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d scrapes of %s failed, the first one with: %v", s.failed, s.scrapes, s.path, s.first))
	}
	if s.failed == s.scrapes {
		return nil, warnings
	}
	if s.optional {
		if len(s.metrics) == 0 {
			warnings = append(warnings, fmt.Sprintf("%s has none of %s; name others as sut.metrics.series", s.path, strings.Join(s.chosen, ", ")))
		}
		return s.metrics, warnings
	}
	for i, text := range s.chosen {
		if _, found := s.metrics[text]; !found {
			warnings = append(warnings, fmt.Sprintf("%s never had a value of %s%s", s.path, text, s.nearest(text, s.selectors[i].Name())))
		}
	}
	return s.metrics, warnings
}

// nearest names the series that was probably meant, for an error.
func (s *scraper) nearest(text, name string) string {
	var names, same []string
	for full, m := range s.offered {
		names = append(names, string(m[model.MetricNameLabel]))
		if string(m[model.MetricNameLabel]) == name {
			same = append(same, full)
		}
	}
	slices.Sort(names)
	slices.Sort(same)
	near := strictyaml.Nearest(name, slices.Compact(names))
	if len(same) > 0 { // then the labels differ
		if near = strictyaml.Nearest(text, same); near == "" {
			near = same[0]
		}
	}
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", near)
}

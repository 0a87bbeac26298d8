package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"floodgate/bench/environment/target"
	"floodgate/bench/metrics/handoff"
)

// scrapeTimeout bounds a scrape, which is a request to this machine.
const scrapeTimeout = 5 * time.Second

// maxExposition bounds the metrics of one scrape.
const maxExposition = 64 << 20

// scraper requests metrics from this machine.
type scraper struct{ client *http.Client }

func newScraper() *scraper {
	var policy target.Policy // loopback only
	return &scraper{&http.Client{Transport: &http.Transport{DialContext: policy.DialContext, DisableKeepAlives: true}}}
}

// get returns the metrics at a URL.
func (s *scraper) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", string(exposition))
	resp, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxExposition))
}

// process is one that announced metrics in the folder of a command.
type process struct {
	tracker tracker
	last    time.Time // of the last snapshot; zero means none
	ended   bool
}

// collector makes snapshots of all processes of a command.
type collector struct {
	dir       string
	scraper   *scraper
	processes map[string]*process
	add       func(snapshot)
}

func newCollector(dir string, add func(snapshot)) *collector {
	return &collector{dir: dir, scraper: newScraper(), processes: map[string]*process{}, add: add}
}

// collect makes a snapshot of each process that runs, and the final one of each that has
// ended since the last call. It reports whether any process is known. The error is that of
// the folder or of final values; a process that does not answer may be ending.
func (c *collector) collect(ctx context.Context) (known bool, err error) {
	sources, err := handoff.Sources(c.dir)
	if err != nil {
		return false, err
	}
	for _, s := range sources {
		p := c.processes[s.Name]
		if p == nil {
			p = &process{tracker: tracker{source: len(c.processes) + 1}}
			c.processes[s.Name] = p
		}
		if p.ended {
			continue
		}
		var text []byte
		if s.Ended {
			p.ended = true
			if text, err = s.Final(); err != nil {
				return true, err
			}
		} else {
			scrape, cancel := context.WithTimeout(ctx, scrapeTimeout)
			text, err = c.scraper.get(scrape, s.URL)
			cancel()
			if err != nil {
				continue
			}
		}
		made, err := p.tracker.snapshot(text, time.Now(), s.Ended)
		if err != nil {
			return true, err
		}
		p.last = made.at
		c.add(made)
	}
	return len(sources) > 0, nil
}

// unfinished returns the number of processes without final values, and the time of the
// last snapshot of any of them.
func (c *collector) unfinished() (n int, last time.Time) {
	for _, p := range c.processes {
		if !p.ended {
			n++
			if p.last.After(last) {
				last = p.last
			}
		}
	}
	return n, last
}

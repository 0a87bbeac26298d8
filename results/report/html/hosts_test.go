package html_test

import (
	"bytes"
	"strings"
	"testing"

	"floodgate/results/internal/runtest"
	"floodgate/results/report/html"
	"floodgate/results/report/internal/reporttest"
)

// TestServiceHostsTables has the fleet and the worst host of a service.
func TestServiceHostsTables(t *testing.T) {
	run := runtest.ServiceFleet()
	var out bytes.Buffer
	if err := html.Run(&out, run, reporttest.Judge(t, run), html.Options{}); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for text, want := range map[string]int{"Hosts, service.arrivals.rate=8": 1, "requests a host": 1, "slowest host</th>": 1, "the one with most descriptors, with its part": 1} {
		if got := strings.Count(page, text); got != want {
			t.Errorf("%q is %d times on the page, want %d", text, got, want)
		}
	}
}

// TestHostsTables has a table for each level with several hosts, and none for one host.
func TestHostsTables(t *testing.T) {
	run := runtest.Fleet()
	var out bytes.Buffer
	if err := html.Run(&out, run, reporttest.Judge(t, run), html.Options{}); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for text, want := range map[string]int{
		"Hosts, items=200 sut.hosts=4": 1, "Hosts, items=200 sut.hosts=2": 1, "Hosts, items=200 sut.hosts=1": 0, "(host 4)": 2,
	} {
		if got := strings.Count(page, text); got != want {
			t.Errorf("%q is %d times on the page, want %d", text, got, want)
		}
	}
}

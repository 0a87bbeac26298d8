package experiment

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"floodgate/bench/sut"
	"floodgate/results"
	"floodgate/results/profile"
)

// A peak is clearly above all before, and the first moment is one.
func TestPeaks(t *testing.T) {
	ms := int64(time.Millisecond)
	var p peaks
	for i, c := range []struct {
		m       measured
		measure string
		rose    bool
	}{
		{measured{peakDescriptors: 10}, peakDescriptors, true},
		{measured{peakDescriptors: 13}, "", false}, // less than 4 more
		{measured{peakDescriptors: 14, peakLatency: 10 * ms}, peakLatency, true},
		{measured{peakDescriptors: 17, peakLatency: 11 * ms}, "", false},
		{measured{peakDescriptors: 18, peakLatency: 13 * ms}, peakLatency, true},
		{measured{peakTasks: 3}, "", false},
		{measured{peakTasks: 400, peakDescriptors: 5}, peakTasks, true},
		{measured{}, "", false},
	} {
		if measure, rose := p.rises(c.m); measure != c.measure || rose != c.rose {
			t.Errorf("moment %d: %s %v, want %s %v", i, measure, rose, c.measure, c.rose)
		}
	}
}

// profiledBy runs the profiles of a program whose server has the handlers, while one measure
// rises, and returns the record.
func profiledBy(t *testing.T, kinds []string, handlers map[string]http.HandlerFunc) *results.Trial {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc("/debug/pprof"+path, h)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	process := sut.Elsewhere()
	t.Cleanup(process.Kill)
	m := &measurement{record: &results.Trial{}, process: process}
	saved := func(string, []byte) error { return nil }
	p := m.newProfiler(&Profiling{Kinds: kinds, Save: saved}, server.URL+"/debug/pprof", func() *http.Transport { return &http.Transport{} })
	m.profiler = p
	defer m.disconnectProfiles()
	if err := p.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.found = true
	looks, enough := int64(0), make(chan struct{})
	p.moment = func(time.Duration) measured {
		if looks++; looks == 3 {
			close(enough)
		}
		return measured{peakDescriptors: looks * looks * 100}
	}
	m.beginProfiles(t.Context())
	<-enough
	m.stopProfiles()
	m.stopProfiles() // again
	if err := m.saveProfiles(); err != nil {
		t.Fatal(err)
	}
	return m.record
}

// Whatever a server answers, the profiles end, and the record says why there are none.
func TestProfilesThatCannotBeTaken(t *testing.T) {
	index := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<tr><td>12</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr>")) // the client may be gone
	}
	for name, c := range map[string]struct {
		kind    string
		handler http.HandlerFunc
		want    string
	}{
		"in use": {profile.CPU, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Could not enable CPU profiling: cpu profiling already in use\nmore", http.StatusInternalServerError)
		}, `answers 500 Internal Server Error: "Could not enable CPU profiling: cpu profiling already in use"`},
		"babbles": {profile.Heap, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>welcome</html>"))
		}, "not a profile in pprof's format"},
		"endless": {profile.Heap, func(w http.ResponseWriter, _ *http.Request) {
			zeros := make([]byte, 1<<20)
			for {
				if _, err := w.Write(zeros); err != nil {
					return
				}
			}
		}, "answers more than 64 MiB"},
		"refuses": {profile.Goroutine, func(w http.ResponseWriter, _ *http.Request) {
			http.Redirect(w, &http.Request{Method: http.MethodGet}, "http://192.0.2.1/", http.StatusFound)
		},
			"answers 302 Found"},
		"hangs up": {profile.Goroutine, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			page := "/" + c.kind
			if c.kind == profile.CPU {
				page = "/profile"
			}
			record := profiledBy(t, []string{c.kind}, map[string]http.HandlerFunc{"/{$}": index, page: c.handler})
			if len(record.Profiles) != 1 || record.Profiles[0].File != "" || !strings.Contains(record.Profiles[0].Error, c.want) {
				t.Errorf("%+v, want the error %q", record.Profiles, c.want)
			}
			if len(record.Warnings) == 0 || !strings.HasPrefix(record.Warnings[0], "no "+c.kind+" profile: ") {
				t.Errorf("warnings %q", record.Warnings)
			}
		})
	}
}

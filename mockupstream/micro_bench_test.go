package mockupstream_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"floodgate/mockupstream"
)

// BenchmarkHandler measures the mock's own part of a request, without net/http.
func BenchmarkHandler(b *testing.B) {
	u, err := mockupstream.New(mockupstream.Profile{}, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer u.Close()
	r := httptest.NewRequest(http.MethodGet, "/items/+15550001", nil)
	w := discard{}
	b.ReportAllocs()
	for b.Loop() {
		u.ServeHTTP(w, r)
	}
}

func BenchmarkDraw(b *testing.B) {
	for name, d := range distributions {
		p := mockupstream.Profile{Latency: d, Faults: []mockupstream.Fault{{Kind: "reset", Probability: 0.01}}}
		b.Run("distribution="+name, func(b *testing.B) {
			for b.Loop() {
				p.Draw(1, "+15550001", 1)
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	p := mockupstream.Profile{Body: mockupstream.Body{Min: 100, Max: 100}}
	b.SetBytes(int64(len(mockupstream.Answer(p, 1, "+15550001"))))
	for b.Loop() {
		mockupstream.Answer(p, 1, "+15550001")
	}
}

// discard is an http.ResponseWriter without costs.
type discard http.Header

func (d discard) Header() http.Header            { return http.Header(d) }
func (d discard) Write(body []byte) (int, error) { return len(body), nil }
func (d discard) WriteHeader(int)                {}

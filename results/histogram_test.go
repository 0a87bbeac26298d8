package results_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	_ "floodgate/mockupstream/rng/fixedseed"
	"floodgate/results"
)

// checkLossless encodes h, sends it through JSON, and compares every count.
func checkLossless(t interface{ Fatalf(string, ...any) }, h *hdrhistogram.Histogram) {
	enc, err := results.NewHistogram(h)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if want, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err != nil || enc.Data != string(want) {
		t.Fatalf("encoded as %s, want %s, %v", enc.Data, want, err)
	}
	src, err := json.Marshal(enc)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var back results.Histogram
	if err := json.Unmarshal(src, &back); err != nil || back != enc {
		t.Fatalf("%+v came back as %+v, %v", enc, back, err)
	}
	dec, err := back.HDR()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if !h.Equals(dec) {
		t.Fatalf("%d values came back as %d others", h.TotalCount(), dec.TotalCount())
	}
	if h.TotalCount() > 0 && (int64(enc.P99) != dec.ValueAtQuantile(99) || int64(enc.Max) != dec.Max() || int64(enc.P50) != dec.ValueAtQuantile(50)) {
		t.Fatalf("the quantiles %+v are not those of the counts", enc)
	}
}

func TestHistogramIsLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lowest := rapid.SampledFrom([]int64{1, 2, 999, 1000, 1024, 1_000_000}).Draw(t, "lowest")
		h := hdrhistogram.New(lowest, int64(time.Hour), rapid.IntRange(1, 4).Draw(t, "figures"))
		for range rapid.IntRange(0, 40).Draw(t, "distinct") {
			value := rapid.OneOf(rapid.Int64Range(0, 3000), rapid.Int64Range(0, int64(time.Second)), rapid.Int64Range(0, int64(time.Hour))).Draw(t, "value")
			if err := h.RecordValues(value, rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 1<<40)).Draw(t, "count")); err != nil {
				t.Fatal(err)
			}
		}
		checkLossless(t, h)
	})
}

// BenchmarkNewHistogram encodes the histogram of a stage of six items, as a short trial has.
func BenchmarkNewHistogram(b *testing.B) {
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	for i := range int64(6) {
		if err := h.RecordValue(i * 7e6); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("encoder=own", func(b *testing.B) {
		for b.Loop() {
			if _, err := results.NewHistogram(h); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoder=hdrhistogram-go", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestHistogramEdges(t *testing.T) {
	for name, values := range map[string][]int64{
		"empty": {}, "zero": {0}, "below the lowest": {1, 511, 999}, "highest": {int64(time.Hour)},
		"ends": {0, int64(time.Hour)}, "bucket borders": {1000, 1023, 1024, 2047 << 9, 2048 << 9, 2049 << 9},
	} {
		t.Run(name, func(t *testing.T) {
			h := hdrhistogram.New(1000, int64(time.Hour), 3)
			for _, v := range values {
				if err := h.RecordValue(v); err != nil {
					t.Fatal(err)
				}
			}
			checkLossless(t, h)
		})
	}
}

func TestHDRRefuses(t *testing.T) {
	h := hdrhistogram.New(1000, int64(time.Hour), 3)
	if err := h.RecordValues(5e6, 7); err != nil {
		t.Fatal(err)
	}
	good, err := results.NewHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*results.Histogram)
		want   string
	}{
		"no data":     {func(h *results.Histogram) { h.Data = "" }, "data are missing"},
		"other count": {func(h *results.Histogram) { h.Count = 8 }, "it holds 7 values, but its record has count 8"},
		"torn":        {func(h *results.Histogram) { h.Data = h.Data[:len(h.Data)/2/4*4] }, "decode histogram"},
		"no base64":   {func(h *results.Histogram) { h.Data = "?" + h.Data[1:] }, "decode histogram"},
	} {
		bad := good
		test.change(&bad)
		if _, err := bad.HDR(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

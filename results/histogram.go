package results

import (
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// NewHistogram encodes h, whose values are nanoseconds, without loss.
func NewHistogram(h *hdrhistogram.Histogram) (Histogram, error) {
	data, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return Histogram{}, fmt.Errorf("encode histogram: %w", err)
	}
	enc := Histogram{Count: h.TotalCount(), Data: string(data)}
	if enc.Count > 0 {
		enc.Mean = time.Duration(h.Mean())
		enc.P50 = time.Duration(h.ValueAtQuantile(50))
		enc.P95 = time.Duration(h.ValueAtQuantile(95))
		enc.P99 = time.Duration(h.ValueAtQuantile(99))
		enc.Max = time.Duration(h.Max())
	}
	return enc, nil
}

// HDR decodes the histogram: the same geometry and counts as were encoded.
func (h Histogram) HDR() (*hdrhistogram.Histogram, error) {
	if h.Data == "" {
		return nil, errors.New("decode histogram: it has no data")
	}
	dec, err := hdrhistogram.Decode([]byte(h.Data))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	if dec.TotalCount() != h.Count {
		return nil, fmt.Errorf("decode histogram: it holds %d values, its record says %d", dec.TotalCount(), h.Count)
	}
	return dec, nil
}

package results

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The first four bytes of HdrHistogram's V2 format and of its compressed form. The 1 before
// the last digit says that counts have no fixed width.
const (
	histogramCookie  = 0x1c849313
	compressedCookie = 0x1c849314
)

// histogramHeader is the length of the header of the V2 format.
const histogramHeader = 40

// compressors holds zlib writers. A new one allocates and clears 1.2 MB, which takes many
// times longer than a histogram of a few values.
var compressors = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(nil, zlib.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	return w
}}

// encodeHistogram returns a histogram in the compressed V2 format in base64, byte for byte
// what [hdrhistogram.Histogram.Encode] returns.
func encodeHistogram(h *hdrhistogram.Snapshot) (string, error) {
	payload := make([]byte, histogramHeader, 1024)
	payload = appendCounts(payload, h.Counts)
	big := binary.BigEndian
	big.PutUint32(payload, histogramCookie)
	big.PutUint32(payload[4:], uint32(len(payload)-histogramHeader))
	big.PutUint32(payload[12:], uint32(h.SignificantFigures)) // the index offset before it is 0
	big.PutUint64(payload[16:], uint64(h.LowestTrackableValue))
	big.PutUint64(payload[24:], uint64(h.HighestTrackableValue))
	big.PutUint64(payload[32:], math.Float64bits(ratio(h)))

	var out bytes.Buffer
	out.Write(make([]byte, 8)) // the header
	w := compressors.Get().(*zlib.Writer)
	defer compressors.Put(w)
	w.Reset(&out)
	if _, err := w.Write(payload); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	big.PutUint32(out.Bytes(), compressedCookie)
	big.PutUint32(out.Bytes()[4:], uint32(out.Len()-8))
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// ratio returns the ratio of the values of a histogram to those of another program.
func ratio(h *hdrhistogram.Snapshot) float64 {
	if h.IntegerToDoubleConversionRatio == 0 {
		return 1
	}
	return h.IntegerToDoubleConversionRatio
}

// appendCounts appends counts up to the last one that is not zero. Several zeros in a row
// become one negative number.
func appendCounts(b []byte, counts []int64) []byte {
	end := len(counts)
	for end > 1 && counts[end-1] == 0 {
		end--
	}
	for i := 0; i < end; {
		zeros := i
		for zeros < end && counts[zeros] == 0 {
			zeros++
		}
		if n := zeros - i; n > 1 {
			b = appendZigZag(b, -int64(n))
			i = zeros
			continue
		}
		b = appendZigZag(b, counts[i])
		i++
	}
	return b
}

// appendZigZag appends a number as in a LEB128 of ZigZag, except that a ninth byte holds
// eight bits.
func appendZigZag(b []byte, n int64) []byte {
	u := uint64(n<<1) ^ uint64(n>>63)
	for range 8 {
		if u < 0x80 {
			return append(b, byte(u))
		}
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

package abtest

import (
	"encoding/json"
	"time"
)

// benchmarkTime is how long [Benchmark] repeats its operation.
const benchmarkTime = 50 * time.Millisecond

// Benchmark measures the time of one operation like a Go benchmark that is bound by the
// processor and by memory: it encodes and decodes a small document for 50 ms. A
// self-test calls it between its trials, so that its samples show how much the time of the
// same code varies on the machine.
func Benchmark() time.Duration {
	document := map[string]any{"id": "4930123456789", "tags": []string{"a", "b", "c"}, "count": 17, "share": 0.25}
	began := time.Now()
	for n := time.Duration(1); ; n++ {
		text, err := json.Marshal(document)
		if err == nil {
			var back map[string]any
			err = json.Unmarshal(text, &back)
		}
		if err != nil { // cannot happen with this document; 0 means not measured
			return 0
		}
		if took := time.Since(began); took >= benchmarkTime {
			return took / n
		}
	}
}

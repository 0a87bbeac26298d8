package results_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"floodgate/results/internal/runtest"
)

func TestScenarioOfARunIsDecodedOnce(t *testing.T) {
	run := runtest.Bounded()
	first, err := run.Scenario()
	if err != nil || first.Name != run.Header.ScenarioName {
		t.Fatalf("%+v, %v", first, err)
	}
	var several sync.WaitGroup
	for range 4 {
		several.Go(func() {
			if again, err := run.Scenario(); again != first || err != nil {
				t.Errorf("decoded again: %v", err)
			}
		})
	}
	several.Wait()
	run.Header.Scenario = json.RawMessage("[]")
	if _, err := run.Scenario(); err == nil || !strings.Contains(err.Error(), "read the scenario of run") {
		t.Errorf("error %v", err)
	}
}

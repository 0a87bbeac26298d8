package sut

import (
	"strings"
	"testing"

	"floodgate/scenarios"
)

func TestRateMustNotBeNegative(t *testing.T) {
	if _, err := newCore(Spec{Variant: scenarios.Variant{Strategy: "sequential"}, Upstream: UpstreamSpec{Rate: -1}}); err == nil || !strings.Contains(err.Error(), "rate") {
		t.Errorf("got %v", err)
	}
}

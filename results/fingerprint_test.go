package results_test

import (
	"regexp"
	"runtime"
	"testing"

	"floodgate/results"
)

func TestTakeFingerprint(t *testing.T) {
	f := results.TakeFingerprint(t.Context())
	if f.CPU == "" || f.Kernel == "" || f.Cores < 1 || f.Memory < 1 || f.Go != runtime.Version() || f.OS != runtime.GOOS || f.Arch != runtime.GOARCH {
		t.Errorf("%+v", f)
	}
	if runtime.GOOS == "linux" && f.NoFile == 0 {
		t.Error("no limit of descriptors")
	}
	if ok, _ := regexp.MatchString(`^([0-9a-f]{40}|unknown)$`, f.Revision); !ok {
		t.Errorf("revision %q", f.Revision)
	}
}

// The revision of another project's checkout is not ours.
func TestRevisionOfAnotherCheckoutIsUnknown(t *testing.T) {
	t.Chdir(t.TempDir())
	if f := results.TakeFingerprint(t.Context()); f.Revision != "unknown" || f.Modified {
		t.Errorf("revision %q, modified %v", f.Revision, f.Modified)
	}
}

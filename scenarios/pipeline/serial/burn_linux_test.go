package serial_test

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"floodgate/scenarios/pipeline/serial"
)

func TestBurnSpendsCPU(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			t.Skip(err)
		}
		return ts.Nano()
	}
	before := used()
	serial.Burn(2 * ms)
	if spent := used() - before; spent < int64(2*ms) {
		t.Errorf("%d ns of CPU were spent", spent)
	}
}

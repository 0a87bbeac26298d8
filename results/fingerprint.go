package results

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"

	"floodgate/results/revision"
)

// unknown stands where a text of a fingerprint could not be found out.
const unknown = "unknown"

// modulePath is the module that a revision must belong to.
const modulePath = "floodgate"

// TakeFingerprint describes this machine and this program. What cannot be
// found out is "unknown", or 0 for numbers: never a guess, never an error. The
// CPU quota is left to machine.Fingerprint, which reads the control groups.
func TakeFingerprint(ctx context.Context) Fingerprint {
	f := Fingerprint{
		CPU: unknown, Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Kernel: unknown, Go: runtime.Version(), NoFile: noFile(), GOMAXPROCS: runtime.GOMAXPROCS(0),
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil && len(infos) > 0 && infos[0].ModelName != "" {
		f.CPU = strings.Join(strings.Fields(infos[0].ModelName), " ")
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		f.Memory = int64(m.Total)
	}
	if v, err := host.KernelVersionWithContext(ctx); err == nil && v != "" {
		f.Kernel = v
	}
	f.Revision, f.Modified = ownRevision(ctx)
	return f
}

// ownRevision is the one stamped into the binary. `go run` stamps none; then git
// is asked, if the working directory is a checkout of this very module.
func ownRevision(ctx context.Context) (rev string, modified bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				rev = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if rev != "" {
		return rev, modified
	}
	r, ok := revision.Of(ctx, "")
	if !ok || !isOurs(r.Top) {
		return unknown, false
	}
	return r.Commit, r.Modified
}

func isOurs(top string) bool {
	src, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(src), "\n")
	return strings.TrimSpace(first) == "module "+modulePath
}

//go:build !linux

package probe

func openSource(t Target) (source, error) { return openPortable(t) }

package environment

import "floodgate/bench/container"

// TemporaryPrefixes begin the names of all temporary folders of environments and
// what they build.
func TemporaryPrefixes() []string { return []string{DataPrefix, logPrefix, container.BuildPrefix} }

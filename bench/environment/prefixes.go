package environment

// TemporaryPrefixes begin the names of all temporary folders of environments.
func TemporaryPrefixes() []string { return []string{DataPrefix, logPrefix} }

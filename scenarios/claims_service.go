package scenarios

// ExhaustionClaim says that every trial of the variants of Of, of a service,
// runs out of file descriptors (EMFILE), at every level that Where selects, or
// that none does. It is refuted where all trials show the opposite.
type ExhaustionClaim struct {
	Of []string `yaml:"of" json:"of"`
	// Is "always" (default) or "never".
	Is    string         `yaml:"is,omitempty" json:"is,omitempty"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CauseClaim says why the descriptors of the variants of Of, of a service,
// grow: "leak" (reports completed leave them behind), "load" (reports in
// flight hold them) or "neither" (they do not grow with reports).
type CauseClaim struct {
	Of    []string       `yaml:"of" json:"of"`
	Is    string         `yaml:"is" json:"is"`
	Where map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CourseClaim says that in every trial of the variants of Of, of a service,
// what Climbs lists grows while the load lasts, and what Steady lists does
// not. Both name what a service has in hand, of [CourseColumns].
type CourseClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Climbs []string       `yaml:"climbs,omitempty" json:"climbs,omitempty"`
	Steady []string       `yaml:"steady,omitempty" json:"steady,omitempty"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// ForecastClaim says that in every trial of the variants of Of, of a service,
// the time at which descriptors run out is as it was predicted when half of
// them were open, give or take Within of it.
type ForecastClaim struct {
	Of     []string       `yaml:"of" json:"of"`
	Within Percent        `yaml:"within" json:"within"`
	Where  map[string]any `yaml:"where,omitempty" json:"where,omitempty"`
}

// CourseColumns are those columns of a record's series that a claim can be
// about: tasks (goroutines, threads), memory, descriptors, and what is in hand.
func CourseColumns() []string {
	return []string{
		"goroutines", "threads", "rss_bytes", "descriptors",
		"reports_in_flight", "items_outstanding", "items_fetching", "items_writing", "slots_in_use",
		"upstream_connecting", "upstream_open", "mongo_connecting", "mongo_open", "mongo_in_use", "mongo_idle",
	}
}

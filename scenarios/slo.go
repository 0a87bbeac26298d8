package scenarios

// SLO is what a service must keep for a rate of reports to count as sustained.
type SLO struct {
	// P99 is the longest response time that 99 % of the reports may take, since
	// they were due.
	P99 Duration `yaml:"p99" json:"p99"`
	// Errors is the share of due reports that may be not done, those turned away
	// included. Default 1%.
	Errors *Percent `yaml:"errors,omitempty" json:"errors,omitempty"`
	// Descriptors is the share of sut.nofile that may be open. Default 80%.
	Descriptors *Percent `yaml:"descriptors,omitempty" json:"descriptors,omitempty"`
}

// Defaults of an SLO.
const (
	DefaultSLOErrors      Percent = 0.01
	DefaultSLODescriptors Percent = 0.8
)

func (s *SLO) fillIn() {
	if s.Errors == nil {
		s.Errors = new(DefaultSLOErrors)
	}
	if s.Descriptors == nil {
		s.Descriptors = new(DefaultSLODescriptors)
	}
}

// MaxErrors is Errors or its default.
func (s SLO) MaxErrors() float64 {
	if s.Errors == nil {
		return float64(DefaultSLOErrors)
	}
	return float64(*s.Errors)
}

// MaxDescriptors is how many of nofile descriptors may be open, rounded down.
func (s SLO) MaxDescriptors(nofile int) int {
	share := DefaultSLODescriptors
	if s.Descriptors != nil {
		share = *s.Descriptors
	}
	return int(float64(share)*float64(nofile) + 1e-9)
}

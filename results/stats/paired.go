package stats

// Paired is what paired differences say about their centre, twice: Exact
// decides, Bootstrap checks it.
type Paired struct {
	Exact     Interval `json:"exact"`
	Bootstrap Interval `json:"bootstrap"`
}

// Compare gives the signed-rank interval of d with a bootstrap, drawn from
// seed, beside it. Its errors are those of [SignedRank].
func Compare(d []float64, level float64, seed uint64) (Paired, error) {
	exact, err := SignedRank(d, level)
	if err != nil {
		return Paired{}, err
	}
	boot, err := Bootstrap(d, level, seed)
	return Paired{Exact: exact, Bootstrap: boot}, err
}

// Exp takes both intervals from logarithms to ratios.
func (p Paired) Exp() Paired {
	return Paired{Exact: p.Exact.Exp(), Bootstrap: p.Bootstrap.Exp()}
}

// Disagree reports that the two intervals lead to different decisions about
// limit: the data then barely suffice, or are not symmetric.
func (p Paired) Disagree(limit float64) bool {
	return p.Exact.Side(limit) != p.Bootstrap.Side(limit)
}

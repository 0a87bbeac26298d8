package capacity

// FitPlain fits the law as R's nls does, by least squares of the throughput.
func FitPlain(all []Observation) USL { return fitUSL(each(all), plainResiduals, starts()) }

// FitLog fits the law as FitUSL does, without intervals.
func FitLog(all []Observation) USL { return fitUSL(each(all), logResiduals, starts()) }

// SquaresPlain and SquaresLog are the sums that are minimized.
func SquaresPlain(u USL, all []Observation) float64 { return squares(u, each(all), plainResiduals) }
func SquaresLog(u USL, all []Observation) float64   { return squares(u, each(all), logResiduals) }

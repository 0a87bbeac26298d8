package capacity

// FitPlain fits the law as R's nls does, by least squares of the throughput.
func FitPlain(all []Observation) USL { return fitUSL(each(all), plainResiduals, starts()) }

// FitLog fits the law as FitUSL does, without intervals.
func FitLog(all []Observation) USL { return fitUSL(each(all), logResiduals, starts()) }

// SquaresPlain and SquaresLog return the minimized sums of squares.
func SquaresPlain(u USL, all []Observation) float64 { return squares(u, each(all), plainResiduals) }
func SquaresLog(u USL, all []Observation) float64   { return squares(u, each(all), logResiduals) }

// plainResiduals returns X − X(N), as in R's nls.
func plainResiduals(u USL, o Observation) (float64, [3]float64) {
	x := u.At(o.N)
	_, by := logResiduals(u, o)
	for i := range by {
		by[i] *= x
	}
	return o.X - x, by
}

// each weights every observation once.
func each(all []Observation) []weighted {
	w := make([]weighted, len(all))
	for i, o := range all {
		w[i] = weighted{o, 1}
	}
	return w
}

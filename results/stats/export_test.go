package stats

var (
	RankSumNull        = rankSumNull
	RankSumCritical    = rankSumCritical
	RankSumApproximate = rankSumApproximate
)

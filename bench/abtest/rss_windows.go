package abtest

import "os"

func peakRSS(*os.ProcessState) int64 { return 0 }

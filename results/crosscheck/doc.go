// Package crosscheck recomputes the figures of the stored examples in another language:
//
//	make crosscheck
//
// Its test renders results/example/report and results/example/plan as `floodgate report
// RUN --format json` does, and R recomputes every figure from the records of the trials:
// medians, percentiles of the decoded histograms, intervals and p-values (wilcox.test),
// reductions, descriptors, documents, the scalability model (nls), waiting times and
// decisions. A figure may differ by one part in 10⁹ and by 10⁻⁹; where R draws other random
// numbers than the program, plan.R states a wider tolerance.
//
// Each leaf of the JSON is recomputed or named in exceptions.txt with the reason; a leaf
// that is neither fails the test. The test also plants a wrong figure in one leaf of each
// kind, and fails unless R finds all of them.
//
// A new figure in a report takes a line in report.R or plan.R that computes it from the
// record, without the program's own intermediate results.
package crosscheck

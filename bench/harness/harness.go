// Package harness measures concurrent programs in their own Go benchmarks: against a
// mock HTTP upstream and a MongoDB that it starts, with latency percentiles, file
// descriptors and errors beside ns/op.
//
//	func TestMain(m *testing.M) { harness.Main(m) }
//
//	func BenchmarkReport(b *testing.B) {
//		env := harness.Start(b) // env.UpstreamURL(), env.MongoURI()
//		items := []string{"+15550001", "+15550002", …}
//		for _, limit := range []int{1, 10} {
//			b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
//				harness.Run(b, items, func(ctx context.Context, item string) error {
//					return report(ctx, env, item) // fetches, writes
//				}, harness.Limit(limit))
//			})
//		}
//	}
//
// go test -bench . then prints, among others:
//
//	Unit p99-ns better=lower
//	BenchmarkReport/limit=1-2    8  136615528 ns/op  0 errors  0 leaked-fds   5959679 p50-ns   15187967 p99-ns  21.00 peak-fds
//	BenchmarkReport/limit=10-2  26   49018294 ns/op  0 errors  0 leaked-fds  12926975 p50-ns  124911615 p99-ns  39.00 peak-fds
//
// One operation is a batch of all items. The lines "Unit" tell benchstat and
// "floodgate gate bench old.txt new.txt" that lower values are better.
//
// Upstream and database are processes of their own, so that neither their descriptors
// nor their CPU time count. They end when the test binary ends, however that ends.
package harness

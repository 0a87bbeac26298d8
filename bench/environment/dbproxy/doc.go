// Package dbproxy is a proxy for MongoDB that adds latency, jitter, bandwidth and resets
// to the commands that read or change documents:
//
//	p, err := dbproxy.Serve(ctx, "127.0.0.1:0", dbproxy.Target{Addr: "127.0.0.1:27017"})
//	defer p.Close()
//	p.SetLink(dbproxy.Link{Latency: 5 * time.Millisecond, Resets: 0.01, Seed: 1})
//	uri := "mongodb://" + p.Addr().String() // every command takes 5 ms longer
//
// All random decisions are a pure function of seed, key and attempt. The key identifies the
// work of a command ([wire.Message.Key]), and the attempt is the number of times that the
// key has been seen since [Proxy.SetLink]. The first write of a document thus has the same
// delay and the same reset in every variant, independent of connections and order.
//
// Only requests are delayed, in order. Up to 64 commands that a client sends without waiting
// are each delayed from their own arrival, and none overtakes another on its connection.
//
// Half of the resets come after the server has executed the command, whose answer is then
// lost. For commands without an answer (unacknowledged writes), all resets come before.
// MongoDB's drivers react to a reset by clearing their pool and waiting for their monitor,
// up to half a second, before the next command; this is part of the cost of a reset.
//
// The bandwidth in each direction is shared by all connections. A message waits until earlier
// ones have passed, takes its size divided by the bandwidth, and is passed on when its last
// byte would have arrived. Latency is added to that.
//
// Handshakes, pings and other commands without documents are neither delayed nor reset and
// take no bandwidth, unless they follow a delayed command. Compressed messages, whose command
// is not visible, count as commands with documents. Neither FerretDB nor clients send them
// by default.
//
// Toxiproxy does not suffice: it draws jitter and toxicity from an unseeded source, so that
// variants have different delays. Its toxics work on bytes instead of commands, so that they
// also delay handshakes, pings and the parts of a message. Its resets come after a time,
// not with a command, so that it is unknown whether the command was executed.
package dbproxy

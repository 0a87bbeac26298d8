// Package dbproxy is the way between core and database: a relay that adds
// latency, jitter, bandwidth and resets to the commands that read or change
// documents.
//
// Everything that chance decides is a pure function of seed, key and attempt:
// the key is that of the work a command does ([wire.Message.Key]), the attempt
// how often that key was seen since [Proxy.SetLink]. Whoever writes a document
// first, over whichever connection and in whichever order, so meets the same
// delay and the same reset as every other variant does.
//
// Only requests are delayed, in the order in which they came: commands that a
// client sends without waiting, up to 64 at a time, are each delayed from their
// own arrival, and none overtakes another of its connection.
//
// A reset is drawn for a command too, and half of them come after the server
// has carried the command out: its answer is lost. Of commands that want no
// answer (unacknowledged writes) all resets come before. MongoDB's drivers meet
// a reset by discarding their pool and waiting for their monitor, up to half a
// second, before the next command: that is part of what a reset costs.
//
// Bandwidth is one link each way, which all connections share: a message waits
// until those that came before it have passed, takes its size over the
// bandwidth, and is handed on when its last byte would have arrived; latency
// comes on top.
//
// Handshakes, pings and other commands without documents pass at once, take no
// bandwidth and are never reset, unless they follow a command that is held
// back. Compressed messages, whose command cannot be seen, are treated as
// though they touched documents; neither FerretDB nor a client that was not
// told to compress sends them.
//
// Why not toxiproxy: it draws jitter and toxicity from an unseeded source, so
// that no two variants meet the same delays; its toxics see bytes and not
// commands, so that they delay handshakes, pings and the parts of one message
// as well; and its resets come after a time, not with a command, so that
// nothing tells whether the command was carried out.
package dbproxy

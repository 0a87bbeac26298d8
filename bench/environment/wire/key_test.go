package wire_test

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"floodgate/bench/environment/wire"
	_ "floodgate/mockupstream/rng/fixedseed"
)

func field(key string, value any) bson.E { return bson.E{Key: key, Value: value} }

func list(docs ...bson.D) bson.A {
	a := bson.A{}
	for _, d := range docs {
		a = append(a, d)
	}
	return a
}

// request returns an OP_MSG with a body and the sequences.
func request(t interface{ Fatal(...any) }, body bson.D, sequences ...[]byte) wire.Message {
	sections := [][]byte{number(0), {0}, doc(t, body...)}
	return message(1, 0, wire.OpMsg, append(sections, sequences...)...)
}

// The commands of a group do the same work and share a key; no two groups share one.
func TestKeyTellsWorkApart(t *testing.T) {
	byID := func(id any) bson.D { return bson.D{field("_id", id)} }
	update := func(id any) bson.D {
		return bson.D{field("q", byID(id)), field("u", byID(id)), field("upsert", true)}
	}
	session := []bson.E{
		field("lsid", byID(bson.NewObjectID())), field("txnNumber", int64(7)), field("$clusterTime", bson.D{field("clusterTime", bson.Timestamp{T: 9})}),
		field("readConcern", bson.D{field("afterClusterTime", bson.Timestamp{T: 8})}), field("$db", "floodgate_2"), field("maxTimeMS", int64(123)),
		field("$readPreference", bson.D{field("mode", "primaryPreferred")}), field("startTransaction", true), field("autocommit", false),
	}
	with := func(command bson.D) bson.D { return append(append(bson.D{}, command...), session...) }
	find := bson.D{field("find", "a"), field("filter", bson.D{field("item", "x")})}
	groups := map[string][]wire.Message{
		"update a": {
			request(t, bson.D{field("update", "c"), field("updates", list(update("a")))}),
			request(t, bson.D{field("update", "other"), field("ordered", false)}, sequence("updates", doc(t, update("a")...), doc(t, update("z")...))),
			message(1, 0, wire.OpMsg, number(0), sequence("updates", doc(t, update("a")...)), []byte{0}, doc(t, field("update", "c"))),
			request(t, with(bson.D{field("update", "c"), field("updates", list(update("a"), update("b")))})),
		},
		"update b": {request(t, bson.D{field("update", "c"), field("updates", list(update("b"), update("a")))})},
		"update 1": {request(t, bson.D{field("update", "c"), field("updates", list(update(int32(1))))})},
		"delete a": {
			request(t, bson.D{field("delete", "c"), field("deletes", list(bson.D{field("q", byID("a")), field("limit", 1)}))}),
			request(t, bson.D{field("delete", "c")}, sequence("deletes", doc(t, field("q", byID("a"))))),
		},
		"insert a": {
			request(t, bson.D{field("insert", "c"), field("documents", list(bson.D{field("n", 1), field("_id", "a")}))}),
			request(t, bson.D{field("insert", "c")}, sequence("documents", doc(t, field("_id", "a")))),
		},
		"find a":          {request(t, bson.D{field("find", "c"), field("filter", byID("a"))}), request(t, bson.D{field("find", "c"), field("filter", byID("a")), field("limit", 1)})},
		"findAndModify a": {request(t, bson.D{field("findAndModify", "c"), field("query", byID("a"))})},
		"bulkWrite a": {
			request(t, bson.D{field("bulkWrite", 1), field("ops", list(bson.D{field("insert", 0), field("document", byID("a"))}))}),
			request(t, bson.D{field("bulkWrite", 1)}, sequence("ops", doc(t, field("update", 0), field("filter", byID("a")))), sequence("nsInfo", doc(t, field("ns", "d.c")))),
		},
		"bulkWrite without id": {
			request(t, bson.D{field("bulkWrite", 1)}, sequence("ops", doc(t, field("delete", 0), field("filter", bson.D{}))), sequence("nsInfo", doc(t, field("ns", "d.c")))),
			request(t, bson.D{field("bulkWrite", 1)}, sequence("ops", doc(t, field("delete", 0), field("filter", bson.D{}))), sequence("nsInfo", doc(t, field("ns", "d.e")))),
		},
		"find by another field": {request(t, find), request(t, with(find)), request(t, with(bson.D{field("find", "b"), find[1]}))},
		"find another":          {request(t, bson.D{field("find", "a"), field("filter", bson.D{field("item", "y")})})},
		"find all":              {request(t, bson.D{field("find", "a"), field("filter", bson.D{})})},
		"count":                 {request(t, bson.D{field("count", "a")}), request(t, with(bson.D{field("count", "a")}))},
		"getMore": {
			request(t, bson.D{field("getMore", int64(1)), field("collection", "a"), field("batchSize", 5)}),
			request(t, bson.D{field("getMore", int64(2)), field("collection", "b"), field("batchSize", 5)}),
		},
		"update by another field": {request(t, bson.D{field("update", "c")}, sequence("updates", doc(t, field("q", bson.D{field("item", "x")}))))},
		"update by yet another":   {request(t, bson.D{field("update", "c")}, sequence("updates", doc(t, field("q", bson.D{field("item", "y")}))))},
		"compressed":              {message(1, 0, wire.OpCompressed, number(1)), message(2, 0, wire.OpCompressed, number(1))},
		"compressed otherwise":    {message(1, 0, wire.OpCompressed, number(2))},
		"nothing":                 {nil, message(1, 0, wire.OpMsg)},
		"legacy find": {
			message(1, 0, wire.OpQuery, number(0), []byte("d.$cmd\x00"), number(0), number(-1), doc(t, field("count", "a"), field("query", byID("a")))),
		},
	}
	owner := map[uint64]string{}
	for name, group := range groups {
		for i, m := range group {
			key := m.Key()
			if other, taken := owner[key]; taken && other != name {
				t.Errorf("%s (%d) has the key of %s", name, i, other)
			} else if !taken && i > 0 {
				t.Errorf("%s: %d does the same work as the first, but has another key", name, i)
			}
			owner[key] = name
		}
	}
}

// Keys are not stored, but results of two versions are compared, and a change of the keys
// would change all draws. This one is FNV-1a of "update", a zero byte, the type of a
// string, and the string in BSON.
func TestKeyStays(t *testing.T) {
	m := request(t, bson.D{field("update", "c")}, sequence("updates", doc(t, field("q", bson.D{field("_id", "+15550001")}))))
	if got, want := m.Key(), uint64(0xf2254ed814b030ca); got != want {
		t.Errorf("key %#x, want %#x", got, want)
	}
}

// The key depends only on the _id, whatever the rest of the command.
func TestKeyOfUpdateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (wire.Message, string) {
			id := rapid.StringN(0, 3, -1).Draw(t, name+" id")
			statement := bson.D{field("q", bson.D{field("_id", id)}), field("u", bson.D{field("x", rapid.Int().Draw(t, name+" value"))})}
			body := bson.D{field("update", rapid.StringMatching(`[a-z]{1,8}`).Draw(t, name+" collection"))}
			if rapid.Bool().Draw(t, name+" in the body") {
				return request(t, append(body, field("updates", list(statement)))), id
			}
			return request(t, body, sequence("updates", doc(t, statement...))), id
		}
		a, idA := draw("a")
		b, idB := draw("b")
		if (a.Key() == b.Key()) != (idA == idB) {
			t.Fatalf("ids %q and %q, keys %#x and %#x", idA, idB, a.Key(), b.Key())
		}
	})
}

// Key does not panic for any input, and returns the same key again.
func FuzzKey(f *testing.F) {
	statement := doc(f, field("q", bson.D{field("_id", "a")}))
	f.Add([]byte(request(f, bson.D{field("update", "c"), field("updates", list(bson.D{field("q", bson.D{field("_id", 1)})}))})))
	f.Add([]byte(request(f, bson.D{field("delete", "c")}, sequence("deletes", statement, statement))))
	f.Add([]byte(request(f, bson.D{field("find", "c"), field("filter", bson.D{}), field("lsid", bson.D{})})))
	f.Add([]byte(request(f, bson.D{field("insert", "c"), field("documents", bson.A{1, "x", bson.A{}})})))
	f.Add(message(1, 0, wire.OpQuery, number(0), []byte("d.$cmd\x00"), number(0), number(-1), doc(f, field("count", "a"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := wire.Message(data)
		key := m.Key()
		if again := wire.Message(bytes.Clone(data)).Key(); again != key {
			t.Fatalf("keys %#x and %#x", key, again)
		}
		if len(data) > 12 { // the IDs of the request and of its answer are not part of the work
			copy(data[4:12], "\xff\xff\xff\xff\xff\xff\xff\xff")
			if again := m.Key(); again != key {
				t.Fatalf("keys %#x and %#x by number", key, again)
			}
		}
	})
}

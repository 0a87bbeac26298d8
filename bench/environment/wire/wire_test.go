package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"floodgate/bench/environment/wire"
)

// message returns a message with a header and the body.
func message(id, answers, opcode int32, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	var m []byte
	for _, field := range []int32{int32(16 + len(all)), id, answers, opcode} {
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(m, all...)
}

func doc(t interface{ Fatal(...any) }, elements ...bson.E) []byte {
	raw, err := bson.Marshal(append(bson.D{}, elements...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func number(n int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

// sequence returns a section of kind 1.
func sequence(name string, docs ...[]byte) []byte {
	body := append([]byte(name), 0)
	body = append(body, bytes.Join(docs, nil)...)
	return append(append([]byte{1}, number(int32(4+len(body)))...), body...)
}

func TestCommand(t *testing.T) {
	update := doc(t, bson.E{Key: "update", Value: "c"}, bson.E{Key: "find", Value: 1})
	hello := doc(t, bson.E{Key: "isMaster", Value: 1})
	flags := number(0)
	tests := map[string]struct {
		message []byte
		want    string
	}{
		"body":             {message(1, 0, wire.OpMsg, flags, []byte{0}, update), "update"},
		"sequence first":   {message(1, 0, wire.OpMsg, flags, sequence("updates", update, hello), []byte{0}, update), "update"},
		"legacy handshake": {message(1, 0, wire.OpQuery, flags, []byte("admin.$cmd\x00"), number(0), number(-1), hello), "isMaster"},
		"compressed":       {message(1, 0, wire.OpCompressed, number(wire.OpMsg), update), ""},
		"nothing":          {message(1, 0, wire.OpMsg), ""},
		"empty document":   {message(1, 0, wire.OpMsg, flags, []byte{0}, doc(t)), ""},
		"cut":              {message(1, 0, wire.OpMsg, flags, []byte{0}, update[:7]), ""},
		"wrong section":    {message(1, 0, wire.OpMsg, flags, []byte{7}, update), ""},
		"long sequence":    {message(1, 0, wire.OpMsg, flags, []byte{1}, number(1<<30), update), ""},
		"negative section": {message(1, 0, wire.OpMsg, flags, []byte{1}, number(-5), update), ""},
		"unnamed query":    {message(1, 0, wire.OpQuery, flags, []byte("admin")), ""},
	}
	for name, test := range tests {
		m, err := wire.Read(bytes.NewReader(test.message), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if got := m.Command(); got != test.want {
			t.Errorf("%s: command %q, want %q", name, got, test.want)
		}
	}
}

func TestRequest(t *testing.T) {
	body := doc(t, bson.E{Key: "hello", Value: 1})
	m := wire.Request(7, body)
	if want := message(7, 0, wire.OpMsg, number(0), []byte{0}, body); !bytes.Equal(m, want) {
		t.Errorf("% x, want % x", []byte(m), want)
	}
	if m.Command() != "hello" || m.MoreToCome() {
		t.Errorf("command %q, more to come: %v", m.Command(), m.MoreToCome())
	}
}

func TestMoreToCome(t *testing.T) {
	if !wire.Message(message(1, 0, wire.OpMsg, number(2))).MoreToCome() {
		t.Error("an unacknowledged write is answered")
	}
	for _, m := range [][]byte{message(1, 0, wire.OpMsg, number(1)), message(1, 0, wire.OpQuery, number(2)), message(1, 0, wire.OpMsg)} {
		if wire.Message(m).MoreToCome() {
			t.Errorf("no answer to % x", m)
		}
	}
}

// Messages arrive unchanged, however the stream is split, and the buffer is reused.
func TestReadProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			id, answers int32
			body        []byte
		}
		var stream []byte
		var all []sent
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			s := sent{rapid.Int32().Draw(t, "id"), rapid.Int32().Draw(t, "answers"), rapid.SliceOfN(rapid.Byte(), 0, 9000).Draw(t, "body")}
			all = append(all, s)
			stream = append(stream, message(s.id, s.answers, wire.OpMsg, s.body)...)
		}
		var r io.Reader = bytes.NewReader(stream)
		if rapid.Bool().Draw(t, "pieces") {
			r = iotest.HalfReader(r)
		}
		var buf []byte
		for _, s := range all {
			m, err := wire.Read(r, buf)
			if err != nil {
				t.Fatal(err)
			}
			if m.RequestID() != s.id || m.ResponseTo() != s.answers || m.OpCode() != wire.OpMsg || !bytes.Equal(m[16:], s.body) {
				t.Fatalf("sent %+v, read % x", s, []byte(m))
			}
			buf = m
		}
		if _, err := wire.Read(r, buf); err != io.EOF {
			t.Fatalf("after the last message: %v, want EOF", err)
		}
		if len(stream) > 0 {
			cut := rapid.IntRange(1, len(message(0, 0, 0, all[0].body))-1).Draw(t, "cut")
			if _, err := wire.Read(bytes.NewReader(stream[:cut]), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
		}
	})
}

func TestReadRefusesLengths(t *testing.T) {
	for _, n := range []int32{-1, 0, 15, wire.MaxMessageBytes + 1} {
		_, err := wire.Read(bytes.NewReader(append(number(n), make([]byte, 20)...)), nil)
		if err == nil || !strings.Contains(err.Error(), "want 16 to") {
			t.Errorf("length %d: %v", n, err)
		}
	}
}

func TestSetInt32(t *testing.T) {
	body := doc(t, bson.E{Key: "ok", Value: 1.0}, bson.E{Key: "limit", Value: int32(100)}, bson.E{Key: "other", Value: int32(7)})
	m := wire.Message(message(1, 0, wire.OpMsg, number(0), []byte{0}, body))
	if !m.SetInt32("limit", -64) || m.SetInt32("absent", 1) || m.SetInt32("ok", 1) {
		t.Fatal("SetInt32 must only set an existing field of that type")
	}
	var got struct{ Limit, Other int32 }
	if err := bson.Unmarshal(m[21:], &got); err != nil || got.Limit != -64 || got.Other != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	if cut := m[:bytes.Index(m, []byte("limit"))+7]; wire.Message(cut).SetInt32("limit", 1) {
		t.Error("set beyond the end")
	}
}

func TestKindsOfCommands(t *testing.T) {
	for command, want := range map[string][3]bool{ // values of Hello, Writes and TouchesDocuments
		"hello": {true, false, false}, "isMaster": {true, false, false}, "ping": {}, "endSessions": {}, "": {},
		"find": {false, false, true}, "getMore": {false, false, true}, "aggregate": {false, false, true},
		"update": {false, true, true}, "insert": {false, true, true}, "delete": {false, true, true},
		"findAndModify": {false, true, true}, "bulkWrite": {false, true, true}, "create": {}, "dropDatabase": {},
	} {
		if got := [3]bool{wire.Hello(command), wire.Writes(command), wire.TouchesDocuments(command)}; got != want {
			t.Errorf("%q: %v, want %v", command, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(message(1, 0, wire.OpMsg, number(0), []byte{0}, doc(f, bson.E{Key: "update", Value: "c"})))
	f.Add(message(1, 0, wire.OpMsg, number(0), sequence("updates", doc(f)), []byte{0}, doc(f)))
	f.Add(message(1, 0, wire.OpQuery, number(0), []byte("admin.$cmd\x00"), number(0), number(-1), doc(f, bson.E{Key: "isMaster", Value: 1})))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.Read(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		if !bytes.Equal(m, data[:len(m)]) {
			t.Fatal("changed on the way")
		}
		_, _ = m.Command(), m.MoreToCome()
		m.SetInt32("maxWriteBatchSize", 1)
	})
}

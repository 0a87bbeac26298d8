// Package wire parses as much of the MongoDB wire protocol as a relay between client and
// server needs: the length of a message, its command, and the request that it answers:
//
//	m, err := wire.Read(client, buf)
//	fmt.Println(m.Command())            // update
//	fmt.Println(wire.Writes("update"))  // true
//	_, err = server.Write(m)            // unchanged
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// MaxMessageBytes is the greatest length of a message; MongoDB's own limit is 48,000,000
// without the header.
const MaxMessageBytes = 48_000_000 + headerBytes

const headerBytes = 16

// Opcodes of messages.
const (
	OpReply      = 1    // answer to OpQuery
	OpQuery      = 2004 // only for the first hello of a connection nowadays
	OpCompressed = 2012
	OpMsg        = 2013
)

// flagMoreToCome marks an OP_MSG that is a request without an answer, or an answer that is
// followed by another one.
const flagMoreToCome = 1 << 1

// Message is one message with its header.
type Message []byte

// Read reads one message into buf, which it grows as needed, and returns it. The error is
// io.EOF if r ends between two messages.
func Read(r io.Reader, buf []byte) (Message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.LittleEndian.Uint32(head[:])))
	if n < headerBytes || n > MaxMessageBytes {
		return nil, fmt.Errorf("wire message of %d bytes (want %d to %d)", n, headerBytes, MaxMessageBytes)
	}
	m := append(buf[:0], head[:]...)
	// Grow with the received data, not to the length that the header claims.
	for len(m) < n {
		have := len(m)
		m = append(m, make([]byte, min(n-have, max(have, 4096)))...)
		if _, err := io.ReadFull(r, m[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return m, nil
}

// Request returns a command, a BSON document, as an OP_MSG.
func Request(id int32, command []byte) Message {
	n := headerBytes + 4 + 1 + len(command)
	m := make(Message, 0, n)
	for _, field := range []int32{int32(n), id, 0, OpMsg, 0} { // the last one: no flags
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(append(m, 0), command...)
}

// RequestID returns the ID to which the answer to this message refers.
func (m Message) RequestID() int32 { return m.int32(4) }

// ResponseTo returns the RequestID of the message that this one answers, or 0 for a request.
func (m Message) ResponseTo() int32 { return m.int32(8) }

// OpCode returns the opcode of the message.
func (m Message) OpCode() int32 { return m.int32(12) }

// int32 returns the number at an offset, or 0 beyond the end.
func (m Message) int32(at int) int32 {
	if at+4 > len(m) {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(m[at:]))
}

// MoreToCome reports whether a request has no answer.
func (m Message) MoreToCome() bool {
	return m.OpCode() == OpMsg && m.int32(headerBytes)&flagMoreToCome != 0
}

// Command returns the name of a request's command, or "" for compressed and malformed
// messages and for answers.
func (m Message) Command() string {
	switch m.OpCode() {
	case OpMsg:
		return m.msgCommand()
	case OpQuery:
		return firstKey(m.queryBody())
	}
	return ""
}

// queryBody returns the document of an OP_QUERY, or nil. It follows flags, full collection
// name, skip and limit.
func (m Message) queryBody() []byte {
	if len(m) < headerBytes+4 {
		return nil
	}
	rest := m[headerBytes+4:]
	end := bytes.IndexByte(rest, 0)
	if end < 0 || len(rest) < end+1+8 {
		return nil
	}
	return rest[end+1+8:]
}

// msgCommand returns the command in the section of kind 0.
func (m Message) msgCommand() string {
	for kind, section := range m.sections() {
		if kind == 0 {
			return firstKey(section)
		}
	}
	return ""
}

// sections returns the kinds and the contents of an OP_MSG's sections: one of kind 0, a
// document, and any number of kind 1, sequences of its documents with a length and a name. It
// ends at a malformed section.
func (m Message) sections() iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		if len(m) < headerBytes+4 {
			return
		}
		for rest := m[headerBytes+4:]; len(rest) > 5; {
			kind, body := rest[0], rest[1:]
			n := int(body.int32(0))
			if kind > 1 || n < 4 || n > len(body) || !yield(kind, body[:n]) {
				return
			}
			rest = body[n:]
		}
	}
}

// firstKey returns the name of the first element of a BSON document.
func firstKey(doc []byte) string {
	if len(doc) < 6 || doc[4] == 0 { // length, type of the first element
		return ""
	}
	end := bytes.IndexByte(doc[5:], 0)
	if end < 0 {
		return ""
	}
	return string(doc[5 : 5+end])
}

// Hello reports whether a command is one of the forms of the handshake.
func Hello(command string) bool {
	return command == "hello" || command == "isMaster" || command == "ismaster"
}

// Writes reports whether a command changes documents.
func Writes(command string) bool {
	switch command {
	case "insert", "update", "delete", "findAndModify", "findandmodify", "bulkWrite":
		return true
	}
	return false
}

// TouchesDocuments reports whether a command reads or changes documents.
func TouchesDocuments(command string) bool {
	switch command {
	case "find", "getMore", "aggregate", "count", "distinct":
		return true
	}
	return Writes(command)
}

// SetInt32 overwrites the 32-bit integer element of that name, anywhere in m, and reports
// whether it exists.
func (m Message) SetInt32(name string, value int32) bool {
	const typeInt32 = 0x10
	key := append([]byte{typeInt32}, name...)
	at := bytes.Index(m, append(key, 0))
	if at < 0 || at+len(key)+1+4 > len(m) {
		return false
	}
	binary.LittleEndian.PutUint32(m[at+len(key)+1:], uint32(value))
	return true
}

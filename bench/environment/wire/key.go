package wire

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Key identifies the work of a command, so that draws by this key apply to the same work in
// every run. It is derived from the command's name and the _id of its first statement, whether
// that updates, replaces, deletes, inserts or finds a document.
//
// Without an _id, it is a hash of the command without the fields that differ between runs of
// the same work: database, collection, cursor, session and time limit. Compressed and
// malformed messages are hashed as a whole. If clients generate an _id, as drivers do for
// inserted documents without one, the keys differ between runs.
func (m Message) Key() uint64 {
	h := newHash()
	c := m.command()
	if c.body == nil {
		h.add(m[min(headerBytes, len(m)):])
		return uint64(h)
	}
	h.add(append([]byte(c.name), 0))
	if id, ok := c.id(); ok {
		h.add([]byte{byte(id.Type)})
		h.add(id.Data)
		return uint64(h)
	}
	c.hash(&h)
	return uint64(h)
}

// command is a parsed request.
type command struct {
	name      string
	body      bsoncore.Document // nil: unreadable
	sequences []sequence
}

// sequence is a section of kind 1: documents that belong to a field of the body.
type sequence struct {
	name string
	docs []byte // one after the other
}

func (m Message) command() command {
	var c command
	switch m.OpCode() {
	case OpMsg:
		for kind, section := range m.sections() {
			if kind == 0 {
				c.body = section
				continue
			}
			if name, docs, ok := bytes.Cut(section[4:], []byte{0}); ok {
				c.sequences = append(c.sequences, sequence{string(name), docs})
			}
		}
	case OpQuery:
		c.body = m.queryBody()
	}
	if c.name = firstKey(c.body); c.name == "" {
		c.body = nil
	}
	return c
}

// id returns the _id in the command's first statement.
func (c *command) id() (bsoncore.Value, bool) {
	switch c.name {
	case "insert":
		return lookup(c.first("documents"), "_id")
	case "update":
		return lookup(c.first("updates"), "q", "_id")
	case "delete":
		return lookup(c.first("deletes"), "q", "_id")
	case "bulkWrite":
		op := c.first("ops")
		if id, ok := lookup(op, "filter", "_id"); ok {
			return id, true
		}
		return lookup(op, "document", "_id")
	case "find":
		return lookup(c.body, "filter", "_id")
	case "findAndModify", "findandmodify", "count", "distinct":
		return lookup(c.body, "query", "_id")
	}
	return bsoncore.Value{}, false
}

// first returns the first statement of a list, which is a sequence or an array of the body.
func (c *command) first(list string) bsoncore.Document {
	for _, s := range c.sequences {
		if s.name == list {
			doc, _, _ := bsoncore.ReadDocument(s.docs)
			return doc
		}
	}
	array, ok := lookup(c.body, list)
	if !ok || array.Type != bsoncore.TypeArray {
		return nil
	}
	// An array is a document whose keys are "0", "1" and so on.
	statement, ok := lookup(array.Data, "0")
	if !ok || statement.Type != bsoncore.TypeEmbeddedDocument {
		return nil
	}
	return statement.Data
}

// lookup returns the value at a path of fields. Unlike [bsoncore.Document.LookupErr], it does
// not panic if an embedded document is malformed.
func lookup(doc bsoncore.Document, path ...string) (bsoncore.Value, bool) {
	for rest := elements(doc); ; {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			return bsoncore.Value{}, false
		}
		rest = after
		if element.Key() != path[0] {
			continue
		}
		v, err := element.ValueErr()
		if err != nil || len(path) == 1 {
			return v, err == nil
		}
		if v.Type != bsoncore.TypeEmbeddedDocument {
			return bsoncore.Value{}, false
		}
		return lookup(v.Data, path[1:]...)
	}
}

// elements returns the concatenated elements of a document.
func elements(doc bsoncore.Document) []byte {
	if len(doc) < 5 {
		return nil
	}
	return doc[4 : len(doc)-1] // without length and closing zero
}

// hash adds the command without its incidental fields.
func (c *command) hash(h *hash) {
	rest := elements(c.body)
	for first := true; len(rest) > 0; first = false {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			h.add(rest)
			break
		}
		if rest = after; !first && !incidental(element.Key()) { // the first one's value is a collection or a cursor
			h.add(element)
		}
	}
	for _, s := range c.sequences {
		if !incidental(s.name) {
			h.add([]byte(s.name))
			h.add(s.docs)
		}
	}
}

// incidental reports whether a field of a command is irrelevant to its work.
func incidental(field string) bool {
	switch field {
	case "$db", "collection", "nsInfo", // where
		"lsid", "txnNumber", "startTransaction", "autocommit", "$clusterTime", "readConcern", // the session, and what it has seen
		"$readPreference", "maxTimeMS":
		return true
	}
	return false
}

// hash is FNV-1a.
type hash uint64

func newHash() hash { return 14695981039346656037 }

func (h *hash) add(b []byte) {
	x := *h
	for _, c := range b {
		x = (x ^ hash(c)) * 1099511628211
	}
	*h = x
}

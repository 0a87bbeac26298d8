package mockupstream

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"floodgate/mockupstream/rng"
)

// Answer returns the JSON body of an answer for key without a fault. It is a
// pure function of its arguments, the same for every attempt:
//
//	{"key":"+15550001","records":[{"id":"…","at":"2017-03-04T05:06:07Z","from":"…","to":"…","seconds":123,"direction":"out","cell":"…"},…]}
//
// A key that begins with "+" is a party of every call; a key of two dates
// ("2017-01-01/2017-01-07") bounds their times. IDs are unique within a key.
//
// A profile with Records has the list of records at this path, and no other field. A
// profile with Body.File has its content, for every key.
func Answer(p Profile, seed uint64, key string) []byte {
	if p.Body.Content != "" {
		return []byte(p.Body.Content)
	}
	hash := hashKey(seed, key)
	return appendAnswer(nil, hash, key, p.Records, p.Body.records(hash))
}

// appendAnswer appends an answer with the records at a path; empty means the built-in
// answer.
func appendAnswer(b []byte, hash uint64, key, path string, records int) []byte {
	if path != "" {
		depth := 0
		if path != wholeBody {
			for name := range strings.SplitSeq(path, ".") {
				b = append(appendString(append(b, '{'), name), ':')
				depth++
			}
		}
		b = append(appendRecords(append(b, '['), hash, key, records), ']')
		for range depth {
			b = append(b, '}')
		}
		return b
	}
	b = append(b, `{"key":`...)
	b = appendString(b, key)
	b = append(b, `,"records":[`...)
	return append(appendRecords(b, hash, key, records), `]}`...)
}

// appendRecords appends the records of a key, separated by commas.
func appendRecords(b []byte, hash uint64, key string, records int) []byte {
	from, span := callTimes(key)
	number := ""
	if strings.HasPrefix(key, "+") {
		number = key
	}
	content := stream(hash, 0, purposeContent)
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRecord(b, rng.At(content, uint64(i)), number, from, span)
	}
	return b
}

// appendRecord appends the call with the given ID.
func appendRecord(b []byte, id uint64, number string, from time.Time, span uint64) []byte {
	more := rng.At(id, 1)
	parties := rng.At(more, 1)
	out := more&1 == 0
	b = append(b, `{"id":"`...)
	b = appendHex(b, id)
	b = append(b, `","at":"`...)
	b = from.Add(time.Duration(more>>1%span)*time.Second).AppendFormat(b, time.RFC3339)
	b = append(b, `","from":`...)
	b = appendParty(b, number, out, parties>>32)
	b = append(b, `,"to":`...)
	b = appendParty(b, number, !out, parties&(1<<32-1))
	b = append(b, `,"seconds":`...)
	b = strconv.AppendUint(b, parties%3600, 10)
	if out {
		b = append(b, `,"direction":"out","cell":"262-`...)
	} else {
		b = append(b, `,"direction":"in","cell":"262-`...)
	}
	b = appendDigits(b, id>>40, 2)
	b = append(b, '-')
	b = appendDigits(b, id, 5)
	return append(b, `"}`...)
}

// appendParty appends number if it is this party of the call, else a number derived from x.
func appendParty(b []byte, number string, own bool, x uint64) []byte {
	if own && number != "" {
		return appendString(b, number)
	}
	b = append(b, `"+1555`...)
	b = appendDigits(b, x, 7)
	return append(b, '"')
}

// callTimes returns the first time at which a call may begin and the length of
// the period in seconds: all of 2017, or the days (both included) of a key of two dates.
func callTimes(key string) (from time.Time, seconds uint64) {
	const day = 24 * 60 * 60
	if first, last, ok := strings.Cut(key, "/"); ok && len(first) == len(time.DateOnly) {
		start, err1 := time.Parse(time.DateOnly, first)
		end, err2 := time.Parse(time.DateOnly, last)
		if days := end.Sub(start) / (24 * time.Hour); err1 == nil && err2 == nil && days >= 0 {
			return start, uint64(days+1) * day
		}
	}
	return time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC), 365 * day
}

func appendHex(b []byte, x uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[x>>shift&15])
	}
	return b
}

// appendDigits appends the last n decimal digits of x.
func appendDigits(b []byte, x uint64, n int) []byte {
	for range n {
		b = append(b, '0')
	}
	for i := len(b) - 1; n > 0; i, n = i-1, n-1 {
		b[i] = byte('0' + x%10)
		x /= 10
	}
	return b
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // unreachable: every string can be marshaled
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

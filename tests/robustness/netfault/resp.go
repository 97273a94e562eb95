package netfault

import (
	"bytes"
	"math/rand"
	"strconv"
	"sync/atomic"
	"time"
)

// Lossy is what happens to messages that Redis pushes to a subscriber; replies to commands pass untouched.
type Lossy struct {
	Drop, Duplicate, Reorder float64 // shares
	Reach                    time.Duration
	Touched                  atomic.Int64
}

// NewFilter makes a filter for one connection. Not safe for use by several goroutines, as one connection needs.
func (y *Lossy) NewFilter(seed int64) Filter {
	return &respFilter{policy: y, random: rand.New(rand.NewSource(seed))}
}

type respFilter struct {
	policy *Lossy
	random *rand.Rand
	buffer []byte
	kept   []keptMessage
}

type keptMessage struct {
	bytes []byte
	until time.Time
}

func (f *respFilter) Pass(piece []byte) []byte {
	f.buffer = append(f.buffer, piece...)
	var out []byte
	for {
		size := respSize(f.buffer)
		if size == 0 {
			return out
		}
		out = append(out, f.message(f.buffer[:size])...)
		f.buffer = f.buffer[size:]
	}
}

func (f *respFilter) message(message []byte) []byte {
	if !pushed(message) {
		return message
	}
	draw := f.random.Float64()
	copied := bytes.Clone(message)
	switch p := f.policy; {
	case draw < p.Drop:
		p.Touched.Add(1)
		return nil
	case draw < p.Drop+p.Duplicate:
		p.Touched.Add(1)
		return append(copied, message...)
	case draw < p.Drop+p.Duplicate+p.Reorder:
		p.Touched.Add(1)
		delay := time.Duration(f.random.Int63n(int64(p.Reach) + 1))
		f.kept = append(f.kept, keptMessage{copied, time.Now().Add(delay)})
		return nil
	}
	return copied
}

func (f *respFilter) Later() []byte {
	var out []byte
	kept := f.kept[:0]
	for _, k := range f.kept {
		if time.Now().After(k.until) {
			out = append(out, k.bytes...)
		} else {
			kept = append(kept, k)
		}
	}
	f.kept = kept
	return out
}

// pushed says whether the RESP value is a published message, of RESP2 or RESP3.
func pushed(message []byte) bool {
	if message[0] != '*' && message[0] != '>' {
		return false
	}
	head := message[:min(len(message), 40)]
	return bytes.Contains(head, []byte("\r\nmessage\r\n")) || bytes.Contains(head, []byte("\r\npmessage\r\n")) ||
		bytes.Contains(head, []byte("\r\nsmessage\r\n"))
}

// respSize is the size of the first whole RESP value; 0 when it is not all there.
func respSize(data []byte) int {
	end := bytes.Index(data, []byte("\r\n"))
	if end < 1 {
		return 0
	}
	size := end + 2
	number, err := strconv.Atoi(string(data[1:end]))
	switch data[0] {
	case '$', '=', '!':
		if err != nil || number < 0 {
			return size
		}
		if len(data) < size+number+2 {
			return 0
		}
		return size + number + 2
	case '*', '>', '~', '%':
		if err != nil || number < 0 {
			return size
		}
		if data[0] == '%' {
			number *= 2
		}
		for ; number > 0; number-- {
			part := respSize(data[size:])
			if part == 0 {
				return 0
			}
			size += part
		}
	}
	return size
}

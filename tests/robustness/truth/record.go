// Package truth is the log as PostgreSQL has it: what every answer and every watch stream is compared with.
package truth

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Kinds of records, as docs/log-format.md names them.
const (
	KindPut        = 1
	KindDelete     = 2
	KindGrant      = 3
	KindLeaseGone  = 4
	KindCompaction = 6
	KindTakeover   = 8
)

// Record is one row of lattice.record.
type Record struct {
	Kind           int16
	Revision       int64
	Sub            int32
	CreateRevision int64
	Version        int64
	Lease          int64
	Number         int64
	Key            []byte
	Value          []byte
}

// Batch is one row of lattice.batch with its records.
type Batch struct {
	Seq          int64
	Previous     []byte
	Digest       []byte
	Epoch        int64
	Incarnation  []byte
	BatchID      []byte
	LastRevision int64
	RecordCount  int32
	CommittedAt  time.Time
	Records      []Record
}

// Complete says that compaction has taken no record away.
func (b *Batch) Complete() bool { return int(b.RecordCount) == len(b.Records) }

// Verifies recomputes the digest; only of a complete batch.
func (b *Batch) Verifies(logID []byte) bool {
	h := sha256.New()
	h.Write(b.Previous)
	h.Write(logID)
	binary.Write(h, binary.BigEndian, b.Seq)
	binary.Write(h, binary.BigEndian, b.Epoch)
	h.Write(b.Incarnation)
	h.Write(b.BatchID)
	binary.Write(h, binary.BigEndian, b.LastRevision)
	binary.Write(h, binary.BigEndian, b.RecordCount)
	for _, r := range b.Records {
		h.Write([]byte{byte(r.Kind)})
		binary.Write(h, binary.BigEndian, r.Revision)
		binary.Write(h, binary.BigEndian, r.Sub)
		for _, number := range []int64{r.CreateRevision, r.Version, r.Lease, r.Number} {
			binary.Write(h, binary.BigEndian, number)
		}
		binary.Write(h, binary.BigEndian, int32(len(r.Key)))
		binary.Write(h, binary.BigEndian, int32(len(r.Value)))
		h.Write(r.Key)
		h.Write(r.Value)
	}
	return bytes.Equal(h.Sum(nil), b.Digest)
}

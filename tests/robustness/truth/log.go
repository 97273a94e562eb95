package truth

import (
	"fmt"
	"sort"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A gap this wide between two revisions is a jump after lost history (log-protocol H3), not a hole.
const jumpLeast = 1_000_000

// Change is one key's change at one revision.
type Change struct {
	Key    string
	Delete bool
	KV     *mvccpb.KeyValue // what a watch event carries: of a deletion key and mod revision only
	Prev   *mvccpb.KeyValue // nil when the key was not there
}

// Revision is everything that one revision changed.
type Revision struct {
	Number    int64
	Changes   []Change
	LeaseGone int64 // the lease whose end this was, or 0
	Committed time.Time
}

// Lease is a lease's life.
type Lease struct {
	ID, TTL         int64
	GrantedAt       int64 // revision at its place in the log
	GoneAt          int64 // 0 while it lives
	GrantedOn, Gone time.Time
	Keys            map[string]bool // attached now
	GoneCount       int
}

// Log is the chain, replayed: every state of every revision.
type Log struct {
	Revisions   map[int64]*Revision
	Order       []int64 // the revisions that exist, ascending
	Head        int64
	JumpFrom    int64 // the last revision before a jump, 0 without one
	JumpTo      int64
	Leases      map[int64]*Lease
	Takeovers   []time.Time
	Compactions []int64
	Problems    []string // invariants that the log itself breaks
	keys        map[string][]Change
	names       []string
}

// Replay builds the log of a chain.
func Replay(chain []*Batch) *Log {
	log := &Log{Revisions: map[int64]*Revision{}, Head: 1, Leases: map[int64]*Lease{}, keys: map[string][]Change{}}
	for _, batch := range chain {
		for i := range batch.Records {
			log.apply(batch, &batch.Records[i])
		}
		log.endBatch(batch)
	}
	for name := range log.keys {
		log.names = append(log.names, name)
	}
	sort.Strings(log.names)
	return log
}

func (l *Log) problem(format string, arguments ...any) {
	l.Problems = append(l.Problems, fmt.Sprintf(format, arguments...))
}

func (l *Log) endBatch(batch *Batch) {
	if batch.LastRevision == l.Head {
		return
	}
	if batch.LastRevision-l.Head < jumpLeast {
		l.problem("1: batch %d ends at revision %d, its records at %d", batch.Seq, batch.LastRevision, l.Head)
	} else if l.JumpFrom == 0 {
		l.JumpFrom = l.Head
	}
	l.Head, l.JumpTo = batch.LastRevision, batch.LastRevision
}

func (l *Log) apply(batch *Batch, r *Record) {
	switch r.Kind {
	case KindPut, KindDelete:
		l.change(batch, r)
	case KindGrant:
		if l.Leases[r.Lease] != nil && l.Leases[r.Lease].GoneAt == 0 {
			l.problem("38: lease %x granted twice", r.Lease)
		}
		l.Leases[r.Lease] = &Lease{ID: r.Lease, TTL: r.Number, GrantedAt: r.Revision, GrantedOn: batch.CommittedAt,
			Keys: map[string]bool{}}
	case KindLeaseGone:
		l.leaseGone(batch, r)
	case KindCompaction:
		if n := len(l.Compactions); n > 0 && l.Compactions[n-1] > r.Number {
			l.problem("16: compaction to %d after one to %d", r.Number, l.Compactions[n-1])
		}
		l.Compactions = append(l.Compactions, r.Number)
	case KindTakeover:
		l.Takeovers = append(l.Takeovers, batch.CommittedAt)
	}
}

func (l *Log) change(batch *Batch, r *Record) {
	revision := l.Revisions[r.Revision]
	if revision == nil {
		if r.Revision != l.Head+1 {
			if r.Revision-l.Head < jumpLeast {
				l.problem("1: revision %d follows %d", r.Revision, l.Head)
			} else {
				l.JumpFrom, l.JumpTo = l.Head, r.Revision-1
			}
		}
		revision = &Revision{Number: r.Revision, Committed: batch.CommittedAt}
		l.Revisions[r.Revision] = revision
		l.Order = append(l.Order, r.Revision)
		l.Head = r.Revision
	} else if r.Revision != l.Head {
		l.problem("1: revision %d is split by %d", r.Revision, l.Head)
	}
	key := string(r.Key)
	change := Change{Key: key, Delete: r.Kind == KindDelete, Prev: l.newest(key)}
	if change.Delete {
		change.KV = &mvccpb.KeyValue{Key: r.Key, ModRevision: r.Revision}
		if change.Prev == nil {
			l.problem("10: revision %d deletes %q, which is not there", r.Revision, key)
		}
	} else {
		change.KV = &mvccpb.KeyValue{Key: r.Key, Value: r.Value, CreateRevision: r.CreateRevision,
			ModRevision: r.Revision, Version: r.Version, Lease: r.Lease}
		l.checkVersion(change)
	}
	l.attach(change)
	revision.Changes = append(revision.Changes, change)
	l.keys[key] = append(l.keys[key], change)
}

func (l *Log) checkVersion(c Change) {
	version, created := int64(1), c.KV.ModRevision
	if c.Prev != nil {
		version, created = c.Prev.Version+1, c.Prev.CreateRevision
	}
	if c.KV.Version != version || c.KV.CreateRevision != created {
		l.problem("10: %q at %d has version %d, created %d, not %d and %d", c.Key, c.KV.ModRevision, c.KV.Version,
			c.KV.CreateRevision, version, created)
	}
}

func (l *Log) attach(c Change) {
	if c.Prev.GetLease() != 0 {
		if lease := l.Leases[c.Prev.Lease]; lease != nil {
			delete(lease.Keys, c.Key)
		}
	}
	if c.Delete || c.KV.Lease == 0 {
		return
	}
	lease := l.Leases[c.KV.Lease]
	if lease == nil || lease.GoneAt != 0 {
		l.problem("43: %q at %d is attached to lease %x, which is not there", c.Key, c.KV.ModRevision, c.KV.Lease)
		return
	}
	lease.Keys[c.Key] = true
}

func (l *Log) newest(key string) *mvccpb.KeyValue {
	if changes := l.keys[key]; len(changes) > 0 && !changes[len(changes)-1].Delete {
		return changes[len(changes)-1].KV
	}
	return nil
}

// leaseGone checks 41 and 42: the lease's keys go in one revision, which is its own.
func (l *Log) leaseGone(batch *Batch, r *Record) {
	lease := l.Leases[r.Lease]
	if lease == nil {
		l.problem("42: lease %x ends, which was never granted", r.Lease)
		return
	}
	lease.GoneCount++
	if lease.GoneAt != 0 {
		l.problem("42: lease %x ends again at %d, after %d", r.Lease, r.Revision, lease.GoneAt)
		return
	}
	lease.GoneAt, lease.Gone = r.Revision, batch.CommittedAt
	// The deletions stand before the lease's own record, and have detached their keys.
	for key := range lease.Keys {
		l.problem("41: lease %x ended at %d without its key %q", lease.ID, lease.GoneAt, key)
	}
	revision := l.Revisions[r.Revision]
	if revision == nil || revision.LeaseGone != 0 {
		return
	}
	var deleted []string
	for _, change := range revision.Changes {
		if !change.Delete || change.Prev.GetLease() != r.Lease {
			return // a lease without keys: the revision is somebody else's
		}
		deleted = append(deleted, change.Key)
	}
	revision.LeaseGone = r.Lease
	if !sort.StringsAreSorted(deleted) {
		l.problem("41: lease %x took its keys out of order: %q", lease.ID, deleted)
	}
}

// At returns the key as of a revision; nil when it is not there.
func (l *Log) At(key string, revision int64) *mvccpb.KeyValue {
	changes := l.keys[key]
	after := sort.Search(len(changes), func(i int) bool { return changes[i].KV.ModRevision > revision })
	if after == 0 || changes[after-1].Delete {
		return nil
	}
	return changes[after-1].KV
}

// Names returns all keys that ever were, in order.
func (l *Log) Names() []string { return l.names }

// Since returns the revisions from the given one on, ascending.
func (l *Log) Since(revision int64) []int64 {
	return l.Order[sort.Search(len(l.Order), func(i int) bool { return l.Order[i] >= revision }):]
}

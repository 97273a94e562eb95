package truth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	tapInterval = 60 * time.Millisecond
	tapPatience = 2 * time.Second
)

// Tap reads the log all the time: it knows what a database that lost its tail once had. Of a position that had several
// contents it keeps all; Chain picks by digest.
//
// Thread: its own goroutine reads; Position, Chain and Stop may be called from any.
type Tap struct {
	url      func() string
	mutex    sync.Mutex
	logID    []byte
	seen     map[int64][]*Batch
	position atomic.Int64
	stop     context.CancelFunc
	done     chan struct{}
}

// NewTap starts reading; url names the database that is the primary now.
func NewTap(url func() string) *Tap {
	ctx, cancel := context.WithCancel(context.Background())
	tap := &Tap{url: url, seen: map[int64][]*Batch{}, stop: cancel, done: make(chan struct{})}
	go tap.run(ctx)
	return tap
}

// Position is the revision up to which the log has been read.
func (t *Tap) Position() int64 { return t.position.Load() }

// Stop ends the reading.
func (t *Tap) Stop() {
	t.stop()
	<-t.done
}

func (t *Tap) run(ctx context.Context) {
	defer close(t.done)
	for ctx.Err() == nil {
		t.follow(ctx, t.url())
		pause(ctx, tapInterval)
	}
}

// follow reads from the beginning, then what is new, until the connection fails or the primary changes.
func (t *Tap) follow(ctx context.Context, url string) {
	limited, cancel := context.WithTimeout(ctx, tapPatience)
	conn, err := pgx.Connect(limited, url)
	cancel()
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	next := int64(0)
	for ctx.Err() == nil && t.url() == url {
		limited, cancel := context.WithTimeout(ctx, tapPatience)
		logID, batches, err := Read(limited, conn, next)
		cancel()
		if err != nil {
			return
		}
		if len(batches) > 0 {
			t.Add(logID, batches)
			last := batches[len(batches)-1]
			next = last.Seq + 1
			t.position.Store(last.LastRevision)
		}
		pause(ctx, tapInterval)
	}
}

// Add notes batches; only complete ones are kept.
func (t *Tap) Add(logID []byte, batches []*Batch) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.logID = logID
	for _, batch := range batches {
		if batch.Complete() && t.find(batch.Seq, batch.Digest) == nil {
			t.seen[batch.Seq] = append(t.seen[batch.Seq], batch)
		}
	}
}

func (t *Tap) find(seq int64, digest []byte) *Batch {
	for _, batch := range t.seen[seq] {
		if string(batch.Digest) == string(digest) {
			return batch
		}
	}
	return nil
}

// Chain returns the whole log that ends with the last of `final`, found backwards by digest.
func (t *Tap) Chain(logID []byte, final []*Batch) ([]*Batch, error) {
	if len(final) == 0 {
		return nil, fmt.Errorf("the log is empty")
	}
	t.Add(logID, final)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	head := final[len(final)-1]
	chain := make([]*Batch, head.Seq)
	digest := head.Digest
	for seq := head.Seq; seq >= 1; seq-- {
		batch := t.find(seq, digest)
		if batch == nil {
			return nil, fmt.Errorf("1: batch %d of the chain is not in the database", seq)
		}
		if !batch.Verifies(logID) {
			return nil, fmt.Errorf("1: batch %d does not verify", seq)
		}
		chain[seq-1] = batch
		digest = batch.Previous
	}
	return chain, nil
}

// Vanished counts the batches that were read once and are not in the chain.
func (t *Tap) Vanished(chain []*Batch) int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	count := -len(chain)
	for _, contents := range t.seen {
		count += len(contents)
	}
	return count
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

package load

import (
	"context"
	"fmt"
	"math/rand"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
)

const (
	thinking = 4 * time.Millisecond
	sulking  = 30 * time.Millisecond // after an error
	leaseTTL = 2
)

// KV sends requests until the context ends. A roaming client goes to the next node after an error.
func KV(ctx context.Context, recorder *Recorder, client, node int, roams bool, seed int64) {
	caller := NewCaller(recorder, client, node)
	defer caller.Close()
	g := newGenerator(seed, client)
	for ctx.Err() == nil {
		id := caller.nextID()
		op := caller.Do(context.WithoutCancel(ctx), id, g.next(id))
		if op.Outcome == history.OK {
			g.saw(op.Request, op.Response, op.Revision())
			sleep(ctx, time.Duration(g.random.Int63n(int64(2*thinking))))
		} else if op.Outcome == history.Unknown {
			sleep(ctx, sulking)
			if roams {
				caller.Roam()
			}
		}
	}
}

// Compactor compacts now and then behind what the tap has read of the log.
func Compactor(ctx context.Context, recorder *Recorder, client int, readUpTo func() int64, every time.Duration, seed int64) {
	caller := NewCaller(recorder, client, 0)
	defer caller.Close()
	random := rand.New(rand.NewSource(seed))
	for sleep(ctx, every/2+time.Duration(random.Int63n(int64(every)))) {
		revision := readUpTo() - 20 - random.Int63n(200)
		if revision < 2 {
			continue
		}
		request := &pb.CompactionRequest{Revision: revision, Physical: random.Intn(2) == 0}
		if op := caller.Do(context.WithoutCancel(ctx), caller.nextID(), request); op.Outcome == history.Unknown {
			caller.Roam()
		}
	}
}

// Leases grants leases, attaches keys, renews for a while, then revokes or forgets them.
func Leases(ctx context.Context, recorder *Recorder, client, node int, seed int64) {
	caller := NewCaller(recorder, client, node)
	defer caller.Close()
	random := rand.New(rand.NewSource(seed))
	for ctx.Err() == nil {
		if !oneLease(ctx, caller, random) {
			caller.Roam()
			sleep(ctx, sulking)
		}
	}
}

func oneLease(ctx context.Context, caller *Caller, random *rand.Rand) bool {
	whole := context.WithoutCancel(ctx)
	granted := caller.Do(whole, caller.nextID(), &pb.LeaseGrantRequest{TTL: leaseTTL})
	answer, is := granted.Response.(*pb.LeaseGrantResponse)
	if !is {
		return false
	}
	for number := range 1 + random.Intn(3) {
		id := caller.nextID()
		key := fmt.Appendf(nil, "l/%d/%d", granted.ID, number)
		if random.Intn(4) == 0 {
			key = fmt.Appendf(nil, "%s%02d", keyPrefix, random.Intn(keyCount))
		}
		caller.Do(whole, id, &pb.PutRequest{Key: key, Value: fmt.Appendf(nil, "v%d.lease", id), Lease: answer.ID})
	}
	for range random.Intn(5) {
		if !sleep(ctx, time.Duration(200+random.Int63n(500))*time.Millisecond) {
			return true
		}
		caller.Do(whole, caller.nextID(), &pb.LeaseKeepAliveRequest{ID: answer.ID})
		if random.Intn(2) == 0 {
			caller.Do(whole, caller.nextID(), &pb.LeaseTimeToLiveRequest{ID: answer.ID, Keys: true})
		}
	}
	if random.Intn(3) == 0 {
		caller.Do(whole, caller.nextID(), &pb.LeaseRevokeRequest{ID: answer.ID})
		caller.Do(whole, caller.nextID(), &pb.LeaseKeepAliveRequest{ID: answer.ID})
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Insist puts to the key until it is acknowledged, from node to node.
func (c *Caller) Insist(key string, patience time.Duration) bool {
	for began := time.Now(); time.Since(began) < patience; {
		id := c.nextID()
		op := c.Do(context.Background(), id, &pb.PutRequest{Key: []byte(key), Value: fmt.Appendf(nil, "v%d.insist", id)})
		if op.Outcome == history.OK {
			c.last = op.Revision()
			return true
		}
		c.Roam()
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// LastRevision is that of the last successful Insist.
func (c *Caller) LastRevision() int64 { return c.last }

// Answers says whether a node answers a linearizable read, within the patience or to the first try.
func Answers(recorder *Recorder, node int, patience time.Duration) bool {
	caller := NewCaller(recorder, -3, node)
	defer caller.Close()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		op := caller.Do(ctx, caller.nextID(), &pb.RangeRequest{Key: []byte(MarkerKeys[0])})
		if op.Outcome == history.OK {
			return true
		}
		if time.Since(began) >= patience {
			return false
		}
	}
}

// CompactTo asks one node to compact, and waits for the answer.
func CompactTo(recorder *Recorder, node int, revision int64) {
	if revision < 2 {
		return
	}
	caller := NewCaller(recorder, -4, node)
	defer caller.Close()
	caller.Do(context.Background(), caller.nextID(), &pb.CompactionRequest{Revision: revision})
}

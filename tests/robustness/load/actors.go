package load

import (
	"context"
	"fmt"
	"math/rand"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"lattice/tests/robustness/history"
)

const (
	thinking = 4 * time.Millisecond
	sulking  = 30 * time.Millisecond // after an error
	leaseTTL = 2
	// A reader's question is given up after this.
	readerPatience = 250 * time.Millisecond
	// Churn writes and deletes so many keys, so many times over.
	churnKeys   = 100
	churnRounds = 6
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

// Reader only reads the present, at one node, and asks again soon where no answer comes: whoever answers without the right
// to is asked at that moment, and not an old question.
func Reader(ctx context.Context, recorder *Recorder, client, node int, seed int64) {
	caller := NewCaller(recorder, client, node)
	defer caller.Close()
	g := newGenerator(seed, client)
	for ctx.Err() == nil {
		request := &pb.RangeRequest{Key: g.key()}
		if g.random.Intn(8) == 0 {
			request = g.list(false)
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readerPatience)
		caller.Do(limited, caller.nextID(), request)
		cancel()
		sleep(ctx, time.Duration(g.random.Int63n(int64(2*thinking))))
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
		switch op := caller.Do(context.WithoutCancel(ctx), caller.nextID(), request); op.Outcome {
		case history.Unknown:
			caller.Roam()
		case history.OK:
			caller.readAround(ctx, revision)
		}
	}
}

// readAround reads where a compaction has drawn the line, and below it, which must be refused.
func (c *Caller) readAround(ctx context.Context, revision int64) {
	for _, at := range []int64{revision, max(revision-1, 1)} {
		c.Do(context.WithoutCancel(ctx), c.nextID(), &pb.RangeRequest{Key: []byte(keyPrefix), RangeEnd: end(keyPrefix), Revision: at})
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

// CompactTo asks one node to compact, and waits for the answer, or until all that goes is gone.
func CompactTo(recorder *Recorder, node int, revision int64, physical bool) {
	if revision < 2 {
		return
	}
	caller := NewCaller(recorder, -4, node)
	defer caller.Close()
	caller.Do(context.Background(), caller.nextID(), &pb.CompactionRequest{Revision: revision, Physical: physical})
}

// Churn fills the log with what the next compaction drops in several pieces, and returns the last revision of it.
func Churn(recorder *Recorder, node int) int64 {
	caller := NewCaller(recorder, -4, node)
	defer caller.Close()
	newest := int64(0)
	for range churnRounds {
		id := caller.nextID()
		puts := &pb.TxnRequest{}
		for key := range churnKeys {
			puts.Success = append(puts.Success, putOp(fmt.Appendf(nil, "%s%03d", churnPrefix, key), fmt.Appendf(nil, "v%d.churn", id)))
		}
		written := caller.Do(context.Background(), id, puts)
		deleted := caller.Do(context.Background(), caller.nextID(), &pb.DeleteRangeRequest{Key: []byte(churnPrefix),
			RangeEnd: end(churnPrefix)})
		newest = max(newest, written.Revision(), deleted.Revision())
	}
	return newest
}

// MoveLeader asks a node that leads to let the next one lead.
func MoveLeader(recorder *Recorder, node int) error {
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	var connections []*grpc.ClientConn
	for _, number := range []int{node, (node + 1) % len(recorder.Targets)} {
		conn, err := dial(recorder.Targets[number].Address())
		if err != nil {
			return err
		}
		defer conn.Close()
		connections = append(connections, conn)
	}
	next, err := pb.NewMaintenanceClient(connections[1]).Status(ctx, &pb.StatusRequest{})
	if err != nil {
		return err
	}
	_, err = pb.NewMaintenanceClient(connections[0]).MoveLeader(ctx, &pb.MoveLeaderRequest{TargetID: next.Header.MemberId})
	return err
}

package scenario

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/jackc/pgx/v5"
	"lattice/tests/robustness/check"
	"lattice/tests/robustness/cluster"
	"lattice/tests/robustness/history"
	"lattice/tests/robustness/load"
	"lattice/tests/robustness/report"
	"lattice/tests/robustness/truth"
)

const truthPatience = 10 * time.Second

// readTruth reads what the database has now, and completes it with what the tap saw before.
func (r *Run) readTruth() (logID []byte, chain []*truth.Batch, left []truth.Survivor, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), truthPatience)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.cluster.TruthURL())
	if err != nil {
		return nil, nil, nil, err
	}
	defer conn.Close(ctx)
	logID, batches, err := truth.Read(ctx, conn, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	if left, err = truth.ReadKeys(ctx, conn); err != nil {
		return nil, nil, nil, err
	}
	chain, err = r.tap.Chain(logID, batches)
	return logID, chain, left, err
}

// judge compares everything that was seen with the log.
func (r *Run) judge(result *Result) error {
	ended := r.recorder.Clock.Now()
	_, chain, left, err := r.readTruth()
	if err != nil {
		return err
	}
	log := truth.Replay(chain)
	hashes := load.Hashes(r.recorder, log.Head)
	check.Hashes(hashes, &r.verdict)
	r.counts.Add("hashes_compared", float64(len(hashes)))
	r.readLogByWatch(log)
	check.LogItself(log, left, &r.verdict)
	h := r.recorder.History()
	rules := check.Rules{LostTail: r.plan.LostTail, Porcupine: porcupineTime,
		Leases: check.LeaseRules{Ended: ended, Grace: leaseGrace}}
	found := check.History(h, log, rules)
	r.verdict.Merge(found.Verdict)
	if vanished := r.tap.Vanished(chain); r.plan.LostTail && found.LostWrites > 0 && log.JumpTo == 0 {
		r.violation("lost-history", "52: %d answers and %d batches are gone, and the revision did not jump", found.LostWrites,
			vanished)
	}
	r.count(h, log, found)
	result.History, result.Chain = h, chain
	result.Porcupine, result.EventDelays = found.Porcupine, found.Watches.Delays
	result.Enough = r.counts.Get(report.KVOps) >= minimumOps && r.counts.Get(report.WatchEvents) >= minimumEvents
	return nil
}

// readLogByWatch reads the log once more, as a client does: all that is not compacted, by one watch at each node. A
// last compaction ends at a deletion, which such a watch still has to show.
func (r *Run) readLogByWatch(log *truth.Log) {
	from := int64(1)
	if n := len(log.Compactions); n > 0 {
		from = log.Compactions[n-1]
	}
	from = max(from, log.JumpTo)
	if deletion := newestDeletion(log); deletion > from {
		from = deletion
		load.CompactTo(r.recorder, r.whoLeads(), deletion, true)
	}
	if len(log.Since(from)) == 0 {
		return
	}
	to := log.Order[len(log.Order)-1]
	for node := range cluster.Nodes {
		if problem := load.ReadLog(r.recorder, node, from, to); problem != nil && r.serving[node] {
			r.violation("watch", "24: the log cannot be read by a watch at node %d from %d to %d: %v", node, from, to, problem)
		}
	}
}

// newestDeletion is the last revision but a hundred that deletes a key for good, or 0.
func newestDeletion(log *truth.Log) int64 {
	for i := len(log.Order) - 100; i >= 0; i-- {
		for _, change := range log.Revisions[log.Order[i]].Changes {
			if change.Delete {
				return log.Order[i]
			}
		}
	}
	return 0
}

func (r *Run) count(h *history.History, log *truth.Log, found check.Result) {
	for _, op := range h.Ops {
		switch op.Request.(type) {
		case *pb.RangeRequest, *pb.PutRequest, *pb.DeleteRangeRequest, *pb.TxnRequest:
			if op.Outcome == history.OK {
				r.counts.Add(report.KVOps, 1)
			}
		}
		if op.Outcome == history.Unknown && op.Mutates() {
			r.counts.Add(report.UnknownOutcomes, 1)
		}
		if op.Outcome == history.Refused {
			r.counts.Add("client_refusals_"+op.Code.String(), 1)
		}
	}
	r.counts.Add(report.WatchEvents, float64(found.Watches.Events))
	r.counts.Add(report.Progress, float64(found.Watches.Progress))
	r.counts.Add(report.CompactedWatches, float64(found.Watches.Compacted))
	r.counts.Add(report.WatchStreams, float64(len(h.Streams)))
	r.counts.Add(report.Leases, float64(len(log.Leases)))
	r.counts.Add(report.Compactions, float64(len(log.Compactions)))
	r.counts.Add(report.PorcupineOps, float64(found.PorcupineOps))
	r.counts.Add(report.LostTailWrites, float64(found.LostWrites))
	r.counts.Add("revisions", float64(len(log.Order)))
	r.counts.Add("takeovers", float64(len(log.Takeovers)))
	faults := int64(0)
	for _, proxy := range r.cluster.Proxies() {
		faults += proxy.TakeFaults()
	}
	r.counts.Add(report.ProxyFaults, float64(faults))
	r.counts.Add(report.RedisTouched, float64(r.lossy.policy.Touched.Swap(0)))
	for number := range r.cluster.Nodes {
		r.sampleUnknown(number)
	}
}

// sampleUnknown adds what a node's counter of unknown appends has grown by; a node that was killed takes its own along.
func (r *Run) sampleUnknown(number int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.cluster.Nodes[number].Metric("lattice_log_appends_unknown_total")
	if now > r.unknown[number] {
		r.counts.Add(report.Ambiguous, now-r.unknown[number])
	}
	r.unknown[number] = now
}

package check

import (
	"math"
	"sort"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// Refusals checks that definite errors were true (14, 16, 17, 43), and that nothing was read that was compacted.
func Refusals(h *history.History, log *truth.Log, verdict *Verdict) {
	done := compactionsDone(h)
	for _, op := range h.Ops {
		request, isRead := op.Request.(*pb.RangeRequest)
		switch {
		case op.Outcome == history.OK && isRead && request.Revision > 0:
			limit, at := done.before(op.Call)
			// A serializable read tells how far its node was: one behind the compaction cannot know of it.
			if request.Revision < limit && (!request.Serializable || op.Revision() > at) {
				verdict.add("compaction", "17: op %d read at %d on node %d after a compaction to %d had been answered",
					op.ID, request.Revision, op.Node, limit)
			}
		case op.Outcome == history.Refused:
			refused(h, log, op, verdict)
		}
	}
}

func refused(h *history.History, log *truth.Log, op *history.Op, verdict *Verdict) {
	switch request := op.Request.(type) {
	case *pb.RangeRequest:
		if op.Code != codes.OutOfRange || request.Revision == 0 {
			break
		}
		if strings.Contains(op.Message, "compacted") && request.Revision >= compactionAsked(h, log, op.Return) {
			verdict.add("compaction", "14: op %d was refused as compacted at %d, which was not", op.ID, request.Revision)
		}
		// A serializable read may come to a node that is behind.
		if strings.Contains(op.Message, "future") && !request.Serializable && request.Revision <= revisionBefore(h, op.Call) {
			verdict.add("compaction", "14: op %d was refused as in the future at %d, on node %d, after %d had been answered",
				op.ID, request.Revision, op.Node, revisionBefore(h, op.Call))
		}
		return
	case *pb.CompactionRequest:
		if op.Code == codes.OutOfRange {
			return
		}
	case *pb.PutRequest:
		if op.Code == codes.NotFound && request.Lease != 0 {
			leaseMissing(h, log, op, request.Lease, verdict)
			return
		}
	case *pb.LeaseRevokeRequest:
		if op.Code == codes.NotFound {
			leaseMissing(h, log, op, request.ID, verdict)
			return
		}
	}
	if op.Code != codes.ResourceExhausted {
		verdict.add("refusal", "5: op %d (%s) was refused with %v %q", op.ID, shown(op.Request), op.Code, op.Message)
	}
}

// leaseMissing: "lease not found" is true only of a lease that ended, or was never granted.
func leaseMissing(h *history.History, log *truth.Log, op *history.Op, id int64, verdict *Verdict) {
	lease := log.Leases[id]
	if lease == nil || lease.GoneAt != 0 && h.Clock.At(lease.Gone) <= op.Return+clockSlack {
		return
	}
	verdict.add("lease", "43: op %d (%s) did not find lease %x, which lived", op.ID, shown(op.Request), id)
}

// The largest revision that anybody had asked to compact before the given time.
func compactionAsked(h *history.History, log *truth.Log, before int64) int64 {
	if log.JumpTo > 0 {
		return math.MaxInt64
	}
	asked := int64(0)
	for _, op := range h.Ops {
		if request, is := op.Request.(*pb.CompactionRequest); is && op.Call < before && op.Outcome != history.Refused {
			asked = max(asked, request.Revision)
		}
	}
	return asked
}

func revisionBefore(h *history.History, time int64) int64 {
	newest := int64(0)
	for _, op := range h.Ops {
		if ordered(op) && op.Return < time {
			newest = max(newest, op.Revision())
		}
	}
	return newest
}

// compactions answers how far compaction had certainly gone at a time.
type compactions struct {
	times, revisions []int64
	ats              []int64 // the log's revision when it was answered
}

func compactionsDone(h *history.History) compactions {
	var found []*history.Op
	for _, op := range h.Ops {
		if _, is := op.Request.(*pb.CompactionRequest); is && op.Outcome == history.OK {
			found = append(found, op)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Return < found[j].Return })
	var c compactions
	newest, at := int64(0), int64(0)
	for _, op := range found {
		if revision := op.Request.(*pb.CompactionRequest).Revision; revision > newest {
			newest, at = revision, op.Revision()
		}
		c.times, c.revisions, c.ats = append(c.times, op.Return), append(c.revisions, newest), append(c.ats, at)
	}
	return c
}

// before returns the newest compaction that had been answered, and where the log was then.
func (c compactions) before(time int64) (revision, at int64) {
	n := sort.Search(len(c.times), func(i int) bool { return c.times[i] >= time })
	if n == 0 {
		return 0, 0
	}
	return c.revisions[n-1], c.ats[n-1]
}

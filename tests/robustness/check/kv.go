package check

import (
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// kvCheck compares every answer with the log at its header revision: invariants 2 to 5, 7 to 10, 13 to 16.
type kvCheck struct {
	log      *truth.Log
	history  *history.History
	verdict  *Verdict
	claimed  map[int64]*history.Op // who wrote each revision
	byValue  map[string]*history.Op
	lostTail bool
	lost     int
}

// KV runs it. With lostTail, acknowledged writes behind the jump's origin may be gone (an asynchronous failover);
// their number is returned.
func KV(h *history.History, log *truth.Log, lostTail bool, verdict *Verdict) (lost int) {
	c := &kvCheck{log: log, history: h, verdict: verdict, claimed: map[int64]*history.Op{},
		byValue: map[string]*history.Op{}, lostTail: lostTail}
	for _, op := range h.Ops {
		for _, value := range values(op.Request) {
			c.byValue[value] = op
		}
	}
	for _, op := range h.Ops {
		if op.Outcome == history.OK {
			c.answered(op)
		}
	}
	c.unclaimed()
	c.scattered()
	return c.lost
}

func (c *kvCheck) fail(op *history.Op, invariant, format string, arguments ...any) {
	c.verdict.add("kv", "%s: op %d (client %d at node %d, revision %d, %v): %s", invariant, op.ID, op.Client, op.Node,
		op.Revision(), shown(op.Request), fmt.Sprintf(format, arguments...))
}

func (c *kvCheck) answered(op *history.Op) {
	switch request := op.Request.(type) {
	case *pb.RangeRequest:
		c.read(op, request)
	case *pb.PutRequest:
		c.write(op, true)
	case *pb.DeleteRangeRequest:
		c.write(op, op.Response.(*pb.DeleteRangeResponse).Deleted > 0)
	case *pb.TxnRequest:
		c.write(op, txnWrote(op.Response.(*pb.TxnResponse)))
	case *pb.LeaseRevokeRequest:
		c.revoked(op, request)
	}
}

func txnWrote(answer *pb.TxnResponse) bool {
	for _, part := range answer.Responses {
		if part.GetResponsePut() != nil || part.GetResponseDeleteRange().GetDeleted() > 0 {
			return true
		}
	}
	return false
}

// beyond says that the answer's revision is not in the log: 13, but for a tail that may be lost.
func (c *kvCheck) beyond(op *history.Op) bool {
	revision := op.Revision()
	if revision <= c.log.Head && (c.log.JumpTo == 0 || revision <= c.log.JumpFrom || revision >= c.log.JumpTo) {
		return false
	}
	if c.lostTail {
		c.lost++
		return true
	}
	c.fail(op, "13", "the log ends at %d", c.log.Head)
	return true
}

func (c *kvCheck) read(op *history.Op, request *pb.RangeRequest) {
	if c.beyond(op) {
		return
	}
	at := op.Revision()
	if request.Revision > 0 {
		at = request.Revision
		if at > op.Revision() {
			c.fail(op, "14", "read at %d, which is in the future", at)
		}
	}
	if differs(newModel(c.log, at, 0).answer(request), op.Response) {
		if c.excused(op) {
			return
		}
		c.fail(op, "7", "got %v, the log has %v", shown(op.Response), shown(newModel(c.log, at, 0).answer(request)))
	}
}

// excused: under a lost tail, an old answer may show what has vanished.
func (c *kvCheck) excused(op *history.Op) bool {
	if c.lostTail && c.log.JumpTo > 0 && op.Revision() < c.log.JumpTo {
		c.lost++
		return true
	}
	return false
}

func (c *kvCheck) write(op *history.Op, wrote bool) {
	if c.beyond(op) {
		return
	}
	revision := op.Revision()
	m := newModel(c.log, revision, revision)
	if wrote {
		m = newModel(c.log, revision-1, revision)
	}
	expected := m.answer(op.Request)
	var changes []truth.Change
	if found := c.log.Revisions[revision]; wrote && found != nil {
		changes = found.Changes
	}
	if !sameChanges(m.changes, changes) {
		if !c.excused(op) {
			c.fail(op, pick(wrote, "3", "9"), "would have changed %v, the log has %v", shownChanges(m.changes),
				shownChanges(changes))
		}
		return
	}
	if differs(expected, op.Response) {
		c.fail(op, "8,10", "got %v, not %v", shown(op.Response), shown(expected))
	}
	if wrote {
		c.claim(revision, op)
	}
}

func pick(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func (c *kvCheck) claim(revision int64, op *history.Op) {
	if other := c.claimed[revision]; other != nil {
		c.fail(op, "3", "op %d was acknowledged at the same revision", other.ID)
	}
	c.claimed[revision] = op
}

func (c *kvCheck) revoked(op *history.Op, request *pb.LeaseRevokeRequest) {
	if c.beyond(op) {
		return
	}
	lease := c.log.Leases[request.ID]
	if lease == nil || lease.GoneAt == 0 {
		if !c.excused(op) {
			c.fail(op, "3", "revoked, but the lease did not end in the log")
		}
		return
	}
	if revision := c.log.Revisions[lease.GoneAt]; revision != nil && revision.LeaseGone == request.ID {
		c.claimed[lease.GoneAt] = op
	}
}

// unclaimed looks for who wrote the revisions that nobody was told about: 2, 4, 5.
func (c *kvCheck) unclaimed() {
	for _, number := range c.log.Order {
		revision := c.log.Revisions[number]
		if c.claimed[number] != nil || revision.LeaseGone != 0 {
			continue
		}
		op := c.author(revision)
		if op == nil {
			c.verdict.add("kv", "2: nobody asked for what revision %d changed: %v", number, shownChanges(revision.Changes))
			continue
		}
		if op.Outcome == history.OK && !(c.lostTail && op.Revision() > c.log.JumpFrom) {
			c.fail(op, "3,4", "was acknowledged at another revision than %d, where it is as well", number)
		}
		if op.Outcome == history.Refused {
			c.fail(op, "5", "was refused with %v %q, and is at %d", op.Code, op.Message, number)
		}
		m := newModel(c.log, number-1, number)
		m.answer(op.Request)
		if !sameChanges(m.changes, revision.Changes) {
			c.fail(op, "5", "is at %d in part: %v instead of %v", number, shownChanges(revision.Changes),
				shownChanges(m.changes))
		}
		if committed := c.history.Clock.At(revision.Committed); committed+int64(time.Second) < op.Call {
			c.fail(op, "2", "was in the log before it was sent")
		}
		c.claimed[number] = op
	}
}

func (c *kvCheck) author(revision *truth.Revision) *history.Op {
	for _, change := range revision.Changes {
		if !change.Delete {
			if op := c.byValue[string(change.KV.Value)]; op != nil {
				return op
			}
		}
	}
	for _, op := range c.history.Ops {
		request, is := op.Request.(*pb.DeleteRangeRequest)
		if !is || op.Outcome != history.Unknown || c.isAuthor(op) {
			continue
		}
		m := newModel(c.log, revision.Number-1, revision.Number)
		m.answer(request)
		if sameChanges(m.changes, revision.Changes) {
			return op
		}
	}
	return nil
}

func (c *kvCheck) isAuthor(op *history.Op) bool {
	for _, claimant := range c.claimed {
		if claimant == op {
			return true
		}
	}
	return false
}

// scattered looks for values at more than one revision: 4.
func (c *kvCheck) scattered() {
	at := map[string]int64{}
	for _, number := range c.log.Order {
		for _, change := range c.log.Revisions[number].Changes {
			value := string(change.KV.Value)
			if change.Delete || value == "" {
				continue
			}
			if before, is := at[value]; is && before != number {
				c.verdict.add("kv", "4: the value %.20q is at revision %d and at %d", value, before, number)
			}
			at[value] = number
		}
	}
}

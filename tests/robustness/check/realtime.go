package check

import (
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
)

// ordered says whether real time binds the answer's revision (invariant 6).
func ordered(op *history.Op) bool {
	if op.Outcome != history.OK || op.Revision() == 0 {
		return false
	}
	switch request := op.Request.(type) {
	case *pb.RangeRequest:
		return !request.Serializable
	case *pb.PutRequest, *pb.DeleteRangeRequest, *pb.TxnRequest, *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest:
		return true
	}
	return false
}

func wrote(op *history.Op) bool {
	switch answer := op.Response.(type) {
	case *pb.PutResponse:
		return true
	case *pb.DeleteRangeResponse:
		return answer.Deleted > 0
	case *pb.TxnResponse:
		return txnWrote(answer)
	}
	return false
}

// RealTime checks 6 and 12: an answer's revision is not below that of any answer that was there before its call, and
// above it when it wrote. Under a lost tail the order starts anew with the jump.
func RealTime(h *history.History, verdict *Verdict) {
	var byCall []*history.Op
	for _, op := range h.Ops {
		if ordered(op) {
			byCall = append(byCall, op)
		}
	}
	byReturn := append([]*history.Op(nil), byCall...)
	sort.Slice(byCall, func(i, j int) bool { return byCall[i].Call < byCall[j].Call })
	sort.Slice(byReturn, func(i, j int) bool { return byReturn[i].Return < byReturn[j].Return })
	var newest *history.Op
	at := 0
	for _, op := range byCall {
		for at < len(byReturn) && byReturn[at].Return < op.Call {
			if newest == nil || byReturn[at].Revision() > newest.Revision() {
				newest = byReturn[at]
			}
			at++
		}
		if newest == nil {
			continue
		}
		if op.Revision() < newest.Revision() || wrote(op) && op.Revision() == newest.Revision() {
			verdict.add("realtime", "6: op %d (client %d at node %d, %s) was answered at revision %d, %d us after op %d "+
				"(node %d) had been at %d", op.ID, op.Client, op.Node, shown(op.Request), op.Revision(),
				(op.Call-newest.Return)/1000, newest.ID, newest.Node, newest.Revision())
		}
	}
}

type place struct{ stream, node, life int }

// Serializable checks 11: what one stream reads at one replica never goes back.
func Serializable(h *history.History, verdict *Verdict) {
	newest := map[place]int64{}
	for _, op := range h.Ops {
		if request, is := op.Request.(*pb.RangeRequest); !is || !request.Serializable || op.Outcome != history.OK {
			continue
		}
		where := place{op.Stream, op.Node, op.Life}
		if op.Revision() < newest[where] {
			verdict.add("serializable", "11: op %d read at revision %d of node %d, after %d", op.ID, op.Revision(), op.Node,
				newest[where])
		}
		newest[where] = max(newest[where], op.Revision())
	}
}

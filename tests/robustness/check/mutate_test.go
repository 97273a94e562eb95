package check

import (
	"math/rand"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/history"
)

// corruption damages a history in place, in one of the ways in which a server could be wrong. It returns false where
// it finds nothing to damage.
type corruption struct {
	name string
	do   func(*history.History, *rand.Rand) bool
}

var corruptions = []corruption{
	{"an acknowledged write that is not in the log", forgedWrite},
	{"a write acknowledged at another revision", movedWrite},
	{"a write that was refused, and landed", refusedWrite},
	{"a stale linearizable read", staleRead},
	{"a read of another value", otherValue},
	{"a read that misses a key", missingKey},
	{"a wrong version", wrongVersion},
	{"a wrong count", wrongCount},
	{"a transaction that took the other branch", otherBranch},
	{"a wrong previous value of a put", wrongPrevious},
	{"a serializable read that goes back", serializableBack},
	{"a revision beyond the log", beyondTheLog},
	{"a write nobody asked for", unasked},
	{"a watch that misses a revision", missedEvent},
	{"a watch that repeats a revision", repeatedEvent},
	{"a watch out of order", swappedEvents},
	{"a watch that splits a revision", splitRevision},
	{"a watch event of another value", otherEvent},
	{"a watch event with another previous value", otherPrevious},
	{"progress beyond what was delivered", earlyProgress},
	{"events after a cancellation", eventsAfterCancel},
	{"a cancellation without compaction", needlessCancel},
	{"a header that goes back", headerBack},
	{"a watch that starts too early", earlyStart},
	{"a watch from now on that starts in the past", staleStart},
	{"a lease that is answered with a shorter TTL", shortLease},
	{"a keepalive that promised more than was kept", brokenPromise},
	{"a register read that is stale", staleRegister},
}

// draw picks one of the operations that fit.
func draw(h *history.History, random *rand.Rand, fits func(*history.Op) bool) *history.Op {
	var found []int
	for i, op := range h.Ops {
		if op.Outcome == history.OK && fits(op) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return nil
	}
	i := found[random.Intn(len(found))]
	clone := *h.Ops[i]
	clone.Request, clone.Response = proto.Clone(clone.Request), proto.Clone(clone.Response)
	h.Ops[i] = &clone
	return &clone
}

func isRead(op *history.Op) bool {
	read, is := op.Request.(*pb.RangeRequest)
	return is && !read.Serializable && read.Revision == 0
}

func readOf(op *history.Op) *pb.RangeResponse {
	answer, _ := op.Response.(*pb.RangeResponse)
	return answer
}

func isPut(op *history.Op) bool { _, is := op.Request.(*pb.PutRequest); return is }

func forgedWrite(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, isPut)
	op.Request.(*pb.PutRequest).Value = []byte("forged")
	return true
}

func movedWrite(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, isPut)
	op.Header().Revision--
	return true
}

func refusedWrite(h *history.History, random *rand.Rand) bool {
	draw(h, random, isPut).Outcome = history.Refused
	return true
}

func staleRead(h *history.History, random *rand.Rand) bool {
	// The answer of an earlier read of the same key, given again much later.
	late := draw(h, random, func(op *history.Op) bool { return isRead(op) && op.Revision() > 60 })
	for _, op := range h.Ops {
		if isRead(op) && op.Outcome == history.OK && proto.Equal(op.Request, late.Request) && op.Revision()+30 < late.Revision() {
			late.Response = proto.Clone(op.Response)
			return true
		}
	}
	return false
}

func hasKeys(op *history.Op) bool { return readOf(op) != nil && len(readOf(op).Kvs) > 0 }

func otherValue(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, hasKeys)
	kv := readOf(op).Kvs[random.Intn(len(readOf(op).Kvs))]
	kv.Value = append([]byte("x"), kv.Value...)
	return true
}

func missingKey(h *history.History, random *rand.Rand) bool {
	answer := readOf(draw(h, random, hasKeys))
	i := random.Intn(len(answer.Kvs))
	answer.Kvs = append(answer.Kvs[:i:i], answer.Kvs[i+1:]...)
	return true
}

func wrongVersion(h *history.History, random *rand.Rand) bool {
	answer := readOf(draw(h, random, hasKeys))
	answer.Kvs[random.Intn(len(answer.Kvs))].Version++
	return true
}

func wrongCount(h *history.History, random *rand.Rand) bool {
	readOf(draw(h, random, hasKeys)).Count--
	return true
}

func otherBranch(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool { _, is := op.Request.(*pb.TxnRequest); return is })
	answer := op.Response.(*pb.TxnResponse)
	answer.Succeeded = !answer.Succeeded
	return true
}

func wrongPrevious(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool { return isPut(op) && op.Response.(*pb.PutResponse).PrevKv != nil })
	op.Response.(*pb.PutResponse).PrevKv.ModRevision--
	return true
}

func serializableBack(h *history.History, random *rand.Rand) bool {
	var before *history.Op
	for i, op := range h.Ops {
		read, is := op.Request.(*pb.RangeRequest)
		if !is || !read.Serializable || read.Revision != 0 || op.Outcome != history.OK || op.Client != 2 {
			continue
		}
		if before != nil && proto.Equal(before.Request, op.Request) && before.Revision() < op.Revision() && random.Intn(2) == 0 {
			first, second := *before, *op
			first.Response, second.Response = op.Response, before.Response
			h.Ops[i] = &second
			for j := range h.Ops {
				if h.Ops[j] == before {
					h.Ops[j] = &first
				}
			}
			return true
		}
		before = op
	}
	return false
}

func beyondTheLog(h *history.History, random *rand.Rand) bool {
	draw(h, random, isRead).Header().Revision += 1 << 40
	return true
}

func unasked(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, isPut)
	for i := range h.Ops {
		if h.Ops[i] == op {
			h.Ops = append(h.Ops[:i:i], h.Ops[i+1:]...)
			return true
		}
	}
	return false
}

// drawResponse picks a response of a stream that fits, and clones it.
func drawResponse(h *history.History, random *rand.Rand, fits func(*history.WatchStream, int) bool) (*history.WatchStream, int) {
	type place struct{ stream, response int }
	var found []place
	for s, stream := range h.Streams {
		for i := range stream.Responses {
			if fits(stream, i) {
				found = append(found, place{s, i})
			}
		}
	}
	if len(found) == 0 {
		return nil, 0
	}
	at := found[random.Intn(len(found))]
	clone := *h.Streams[at.stream]
	clone.Responses = append([]history.WatchResponse(nil), clone.Responses...)
	clone.Responses[at.response].Response = proto.CloneOf(clone.Responses[at.response].Response)
	h.Streams[at.stream] = &clone
	return &clone, at.response
}

func events(stream *history.WatchStream, i int) []*mvccpb.Event {
	return stream.Responses[i].Response.Events
}

func oneWatch(stream *history.WatchStream) bool { return len(stream.Requests) == 1 }

func missedEvent(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool {
		return oneWatch(s) && len(events(s, i)) > 0 && i+1 < len(s.Responses) && len(events(s, i+1)) > 0
	})
	stream.Responses = append(stream.Responses[:i:i], stream.Responses[i+1:]...)
	return true
}

func repeatedEvent(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return len(events(s, i)) > 0 })
	stream.Responses = append(stream.Responses[:i+1:i+1], stream.Responses[i:]...)
	return true
}

func swappedEvents(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool {
		return oneWatch(s) && len(events(s, i)) > 0 && i+1 < len(s.Responses) && len(events(s, i+1)) > 0
	})
	stream.Responses[i], stream.Responses[i+1] = stream.Responses[i+1], stream.Responses[i]
	return true
}

func splitRevision(h *history.History, random *rand.Rand) bool {
	sameRevision := func(e []*mvccpb.Event) int {
		for i := 1; i < len(e); i++ {
			if e[i].Kv.ModRevision == e[i-1].Kv.ModRevision {
				return i
			}
		}
		return 0
	}
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return sameRevision(events(s, i)) > 0 })
	first := stream.Responses[i]
	at := sameRevision(first.Response.Events)
	second := history.WatchResponse{At: first.At, Response: proto.CloneOf(first.Response)}
	second.Response.Events = second.Response.Events[at:]
	first.Response.Events = first.Response.Events[:at]
	stream.Responses = slices.Insert(stream.Responses, i+1, second)
	return true
}

func otherEvent(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return len(events(s, i)) > 0 })
	event := events(stream, i)[random.Intn(len(events(stream, i)))]
	event.Kv.Version += 3
	return true
}

func otherPrevious(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool {
		return len(events(s, i)) > 0 && events(s, i)[0].PrevKv != nil
	})
	events(stream, i)[0].PrevKv.Value = []byte("another")
	return true
}

func earlyProgress(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return oneWatch(s) && len(events(s, i)) > 0 })
	of := stream.Responses[i].Response
	early := &pb.WatchResponse{WatchId: of.WatchId,
		Header: &pb.ResponseHeader{Revision: of.Events[len(of.Events)-1].Kv.ModRevision}}
	stream.Responses = slices.Insert(stream.Responses, i, history.WatchResponse{At: stream.Responses[i].At, Response: early})
	return true
}

func eventsAfterCancel(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return len(events(s, i)) > 0 })
	of := stream.Responses[i].Response
	cancel := &pb.WatchResponse{WatchId: of.WatchId, Canceled: true, Header: of.Header}
	stream.Responses = slices.Insert(stream.Responses, i, history.WatchResponse{At: stream.Responses[i].At, Response: cancel})
	return true
}

func needlessCancel(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return len(events(s, i)) > 0 })
	of := stream.Responses[i].Response
	stream.Responses = append(stream.Responses[:i:i], history.WatchResponse{At: stream.Responses[i].At,
		Response: &pb.WatchResponse{WatchId: of.WatchId, Canceled: true, Header: of.Header, CompactRevision: 1 << 40}})
	return true
}

func headerBack(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool { return i > 1 && len(events(s, i)) > 0 })
	stream.Responses[i].Response.Header.Revision = 1
	return true
}

func earlyStart(h *history.History, random *rand.Rand) bool {
	stream, i := drawResponse(h, random, func(s *history.WatchStream, i int) bool {
		return oneWatch(s) && len(events(s, i)) > 0 && i <= 2
	})
	if stream == nil {
		return false
	}
	stream.Requests = []*pb.WatchCreateRequest{proto.CloneOf(stream.Requests[0])}
	stream.Requests[0].StartRevision = events(stream, i)[0].Kv.ModRevision + 1
	return true
}

// staleStart adds a watch that is only created: nothing but its header can give it away.
func staleStart(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool { return isPut(op) && op.Revision() > 2 })
	stream := &history.WatchStream{ID: -1, Opened: op.Return + 1, Requests: []*pb.WatchCreateRequest{{Key: []byte("k")}}}
	created := &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: op.Revision() - 1}, Created: true}
	stream.Responses = []history.WatchResponse{{At: op.Return + 2, Response: created}}
	h.Streams = append(h.Streams, stream)
	return true
}

func shortLease(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool { _, is := op.Request.(*pb.LeaseGrantRequest); return is })
	op.Request.(*pb.LeaseGrantRequest).TTL = 1000
	return true
}

func brokenPromise(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool {
		answer, is := op.Response.(*pb.LeaseKeepAliveResponse)
		return is && answer.TTL > 0 && expires[answer.ID]
	})
	if op == nil {
		return false
	}
	op.Response.(*pb.LeaseKeepAliveResponse).TTL = 1000
	return true
}

func staleRegister(h *history.History, random *rand.Rand) bool {
	op := draw(h, random, func(op *history.Op) bool {
		read, is := op.Request.(*pb.RangeRequest)
		return is && isRead(op) && hasKeys(op) && strings.HasPrefix(string(read.Key), RegisterPrefix)
	})
	if op == nil {
		return false
	}
	readOf(op).Kvs[0].Value = []byte("never written")
	return true
}

package history

import pb "go.etcd.io/etcd/api/v3/etcdserverpb"

// Cut is the part of a history up to a revision, small enough to be kept as test data.
func Cut(h *History, revision int64) *History {
	cut := &History{Clock: h.Clock}
	for _, op := range h.Ops {
		if op.Outcome == Unknown || op.Outcome == OK && op.Revision() <= revision {
			cut.Ops = append(cut.Ops, op)
		}
	}
	for _, stream := range h.Streams {
		if short := cutStream(stream, revision); len(short.Responses) > 0 {
			cut.Streams = append(cut.Streams, short)
		}
	}
	return cut
}

func cutStream(stream *WatchStream, revision int64) *WatchStream {
	short := *stream
	short.MustReach = 0
	short.Responses = nil
	for _, one := range stream.Responses {
		if one.Response.Header.GetRevision() > revision || newest(one.Response) > revision {
			break
		}
		short.Responses = append(short.Responses, one)
	}
	return &short
}

func newest(response *pb.WatchResponse) int64 {
	if n := len(response.Events); n > 0 {
		return response.Events[n-1].Kv.ModRevision
	}
	return 0
}

package history

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// WatchResponse is one message of a stream, with the time of its arrival.
type WatchResponse struct {
	At       int64
	Response *pb.WatchResponse
}

// WatchStream is one gRPC stream: the watches that it asked for, in order, and everything that came.
type WatchStream struct {
	ID        int
	Watcher   int
	Node      int
	Life      int
	Opened    int64
	Sleeps    bool // did not always read: its delays say nothing
	Ended     int64
	EndError  string
	MustReach int64 // it was open at the end, and had to show everything up to this revision; 0: not asked
	Requests  []*pb.WatchCreateRequest
	Responses []WatchResponse
}

// History is everything that the clients of one run saw.
type History struct {
	Clock   Clock
	Ops     []*Op
	Streams []*WatchStream
}

// Package history is what black-box clients saw: operations with their times and outcomes, and raw watch streams.
package history

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Outcome says what a client knows about the effect of its request.
type Outcome int

const (
	// OK: answered. Refused: certainly without effect. Unknown: nobody told.
	OK Outcome = iota
	Refused
	Unknown
)

// Op is one request. Times are nanoseconds on the clock of the run; Life counts the starts of the node that was asked.
type Op struct {
	ID       int64
	Client   int // the actor, for as long as the run lasts
	Stream   int // retired with its first write of unknown outcome
	Node     int
	Life     int
	Call     int64
	Return   int64
	Outcome  Outcome
	Code     codes.Code
	Message  string
	Request  proto.Message
	Response proto.Message
}

type headed interface{ GetHeader() *pb.ResponseHeader }

// Header of the answer; nil without one.
func (o *Op) Header() *pb.ResponseHeader {
	if answer, is := o.Response.(headed); is && o.Outcome == OK {
		return answer.GetHeader()
	}
	return nil
}

// Revision of the answer's header; 0 without one.
func (o *Op) Revision() int64 { return o.Header().GetRevision() }

// Mutates says whether the request can change the log.
func (o *Op) Mutates() bool {
	switch request := o.Request.(type) {
	case *pb.RangeRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseKeepAliveRequest:
		return false
	case *pb.TxnRequest:
		return txnWrites(request)
	}
	return true
}

func txnWrites(request *pb.TxnRequest) bool {
	for _, branch := range [][]*pb.RequestOp{request.Success, request.Failure} {
		for _, op := range branch {
			if op.GetRequestRange() == nil {
				return true
			}
		}
	}
	return false
}

// Classify translates a status code as reliability.md section 6 does.
func Classify(code codes.Code) Outcome {
	switch code {
	case codes.OK:
		return OK
	case codes.InvalidArgument, codes.OutOfRange, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition,
		codes.PermissionDenied, codes.Unauthenticated, codes.ResourceExhausted, codes.Unimplemented:
		return Refused
	}
	return Unknown
}

// Clock is the monotonic clock of a run, with the wall time of its start.
type Clock struct{ Start time.Time }

// NewClock starts now.
func NewClock() Clock { return Clock{time.Now()} }

// Now in nanoseconds since the start.
func (c Clock) Now() int64 { return int64(time.Since(c.Start)) }

// At is the run's time of a wall time.
func (c Clock) At(wall time.Time) int64 { return int64(wall.Round(0).Sub(c.Start.Round(0))) }

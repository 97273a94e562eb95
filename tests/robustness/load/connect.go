// Package load is the black-box clients: they send requests, keep watches and leases, and write down what they saw.
package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/history"
)

const callPatience = 4 * time.Second

// Target is a node as clients see it.
type Target interface {
	Address() string
	Life() int
}

// Recorder collects what all clients of a run saw.
type Recorder struct {
	Clock   history.Clock
	Targets []Target
	mutex   sync.Mutex
	ops     []*history.Op
	streams []*history.WatchStream
	lastOp  atomic.Int64
	lastID  atomic.Int64 // of streams, of both kinds
	// Written is the newest acknowledged write's return time.
	Written atomic.Int64
}

// NewRecorder begins a history.
func NewRecorder(targets []Target) *Recorder {
	return &Recorder{Clock: history.NewClock(), Targets: targets}
}

// History as recorded so far; the clients should have ended.
func (r *Recorder) History() *history.History {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return &history.History{Clock: r.Clock, Ops: r.ops, Streams: r.streams}
}

func (r *Recorder) keep(op *history.Op) {
	r.mutex.Lock()
	r.ops = append(r.ops, op)
	r.mutex.Unlock()
}

func (r *Recorder) keepStream(stream *history.WatchStream) {
	r.mutex.Lock()
	r.streams = append(r.streams, stream)
	r.mutex.Unlock()
}

func dial(address string, further ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, append(further, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDisableRetry(), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 150 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))...)
}

// Caller sends one request at a time over connections of its own.
type Caller struct {
	recorder *Recorder
	client   int
	stream   int
	node     int
	conns    map[int]*grpc.ClientConn
	last     int64
}

// NewCaller starts at a node.
func NewCaller(recorder *Recorder, client, node int) *Caller {
	return &Caller{recorder: recorder, client: client, stream: int(recorder.lastID.Add(1)), node: node,
		conns: map[int]*grpc.ClientConn{}}
}

// Close ends its connections.
func (c *Caller) Close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// Roam goes to another node.
func (c *Caller) Roam() { c.node = (c.node + 1) % len(c.recorder.Targets) }

func (c *Caller) conn() *grpc.ClientConn {
	if c.conns[c.node] == nil {
		conn, err := dial(c.recorder.Targets[c.node].Address())
		if err != nil {
			panic(err)
		}
		c.conns[c.node] = conn
	}
	return c.conns[c.node]
}

// nextID is the id that the next operation gets: values are made of it.
func (c *Caller) nextID() int64 { return c.recorder.lastOp.Add(1) }

// Do sends the request and records what came of it.
func (c *Caller) Do(ctx context.Context, id int64, request proto.Message) *history.Op {
	op := &history.Op{ID: id, Client: c.client, Stream: c.stream, Node: c.node, Request: request,
		Life: c.recorder.Targets[c.node].Life()}
	limited, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	op.Call = c.recorder.Clock.Now()
	response, err := send(limited, c.conn(), request)
	op.Return = c.recorder.Clock.Now()
	op.Code, op.Message = status.Code(err), status.Convert(err).Message()
	op.Outcome = history.Classify(op.Code)
	if err == nil {
		op.Response = response
	}
	if op.Outcome == history.Unknown && op.Mutates() {
		c.stream = int(c.recorder.lastID.Add(1))
	}
	if _, put := request.(*pb.PutRequest); put && op.Outcome == history.OK {
		c.recorder.Written.Store(op.Return)
	}
	c.recorder.keep(op)
	return op
}

// sender sends requests of one kind; others it does not take.
type sender func(ctx context.Context, conn *grpc.ClientConn, request proto.Message) (answer proto.Message, taken bool, err error)

func unary[Client any, Request, Answer proto.Message](service func(grpc.ClientConnInterface) Client,
	call func(Client, context.Context, Request, ...grpc.CallOption) (Answer, error)) sender {
	return func(ctx context.Context, conn *grpc.ClientConn, request proto.Message) (proto.Message, bool, error) {
		mine, taken := request.(Request)
		if !taken {
			return nil, false, nil
		}
		answer, err := call(service(conn), ctx, mine)
		return answer, true, err
	}
}

var senders = []sender{
	unary(pb.NewKVClient, pb.KVClient.Range),
	unary(pb.NewKVClient, pb.KVClient.Put),
	unary(pb.NewKVClient, pb.KVClient.DeleteRange),
	unary(pb.NewKVClient, pb.KVClient.Txn),
	unary(pb.NewKVClient, pb.KVClient.Compact),
	unary(pb.NewLeaseClient, pb.LeaseClient.LeaseGrant),
	unary(pb.NewLeaseClient, pb.LeaseClient.LeaseRevoke),
	unary(pb.NewLeaseClient, pb.LeaseClient.LeaseTimeToLive),
}

func send(ctx context.Context, conn *grpc.ClientConn, request proto.Message) (proto.Message, error) {
	if renewal, ok := request.(*pb.LeaseKeepAliveRequest); ok {
		return keepAlive(ctx, conn, renewal)
	}
	for _, try := range senders {
		if answer, taken, err := try(ctx, conn, request); taken {
			return answer, err
		}
	}
	return nil, status.Error(codes.Internal, "the harness cannot send this")
}

func keepAlive(ctx context.Context, conn *grpc.ClientConn, r *pb.LeaseKeepAliveRequest) (proto.Message, error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := pb.NewLeaseClient(conn).LeaseKeepAlive(limited)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(r); err != nil {
		_, err = stream.Recv()
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	return answer, nil
}

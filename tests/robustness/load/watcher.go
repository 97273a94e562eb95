package load

import (
	"context"
	"math/rand"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/check"
	"lattice/tests/robustness/history"
)

const (
	afterCancellation = 100 * time.Millisecond
	// What a watcher that sleeps may hold unread, as etcd's own clients do.
	sleeperWindow = 64 << 10
)

// MarkerKeys lie between them within every watcher's range: what is put there must reach all.
var MarkerKeys = []string{keyPrefix + "03", check.RegisterPrefix + "1"}

// Plan is what a watcher asks for, again after each loss of its stream.
type Plan struct {
	Requests []*pb.WatchCreateRequest
	Rewind   bool // begins again from an old revision now and then
	Fresh    bool // begins again from now on, often
	Sleeps   bool // stops reading now and then, for longer than the server may keep what comes meanwhile
	Roams    bool
}

// Plans are the kinds of watchers that each node gets.
func Plans() []Plan {
	everything := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true, ProgressNotify: true}
	prefix := &pb.WatchCreateRequest{Key: []byte(keyPrefix), RangeEnd: end(keyPrefix), PrevKv: true, ProgressNotify: true}
	one := &pb.WatchCreateRequest{Key: []byte(MarkerKeys[0])}
	puts := &pb.WatchCreateRequest{Key: []byte(check.RegisterPrefix), RangeEnd: end(check.RegisterPrefix),
		Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}}
	registers := &pb.WatchCreateRequest{Key: []byte(check.RegisterPrefix), RangeEnd: end(check.RegisterPrefix), PrevKv: true}
	return []Plan{
		{Requests: []*pb.WatchCreateRequest{everything}},
		{Requests: []*pb.WatchCreateRequest{prefix}, Roams: true},
		{Requests: []*pb.WatchCreateRequest{one, puts}},
		{Requests: []*pb.WatchCreateRequest{registers}, Rewind: true},
		{Requests: []*pb.WatchCreateRequest{one}, Fresh: true},
		{Requests: []*pb.WatchCreateRequest{prefix, prefix, prefix, prefix, prefix, prefix}, Sleeps: true},
	}
}

// Watcher keeps the watches of a plan going: after a loss it resumes behind the last revision that it got.
type Watcher struct {
	Number   int
	Node     int
	recorder *Recorder
	plan     Plan
	random   *rand.Rand
	readUpTo func() int64
	mutex    sync.Mutex
	next     []int64 // by request: the revision to resume from, 0 before the first answer
	ids      map[int64]int
	current  *history.WatchStream
	resting  chan struct{} // closed by Rests
	done     chan struct{}
}

// NewWatcher starts it.
func NewWatcher(ctx context.Context, recorder *Recorder, number, node int, plan Plan, readUpTo func() int64,
	seed int64) *Watcher {
	w := &Watcher{Number: number, Node: node, recorder: recorder, plan: plan, random: rand.New(rand.NewSource(seed)),
		readUpTo: readUpTo, next: make([]int64, len(plan.Requests)), resting: make(chan struct{}),
		done: make(chan struct{})}
	go w.run(ctx)
	return w
}

// Rests makes a watcher end its rewinding and sleeping, so that it stays at the head. To be called once.
func (w *Watcher) Rests() { close(w.resting) }

func (w *Watcher) rests() bool {
	select {
	case <-w.resting:
		return true
	default:
		return false
	}
}

// Behind says whether some watch has not come up to the newest of the given revisions by key.
func (w *Watcher) Behind(markers map[string]int64) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for i, request := range w.plan.Requests {
		for key, revision := range markers {
			matches := key == string(request.Key) ||
				key >= string(request.Key) && (string(request.RangeEnd) == "\x00" || key < string(request.RangeEnd))
			if matches && w.next[i] <= revision {
				return true
			}
		}
	}
	return false
}

// MustReach says what the stream that is open now has to show by its end; call it before its context ends.
func (w *Watcher) MustReach(revision int64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.current != nil {
		w.current.MustReach = revision
	}
}

// Wait returns when the watcher has ended.
func (w *Watcher) Wait() { <-w.done }

func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		limited, cancel := context.WithCancel(ctx)
		if lasts := w.lasts(); lasts > 0 && !w.rests() {
			timer := time.AfterFunc(lasts, func() {
				if !w.rests() {
					cancel()
				}
			})
			w.beginAnew()
			w.once(limited)
			timer.Stop()
		} else {
			w.once(limited)
		}
		cancel()
		if w.plan.Roams {
			w.Node = (w.Node + 1) % len(w.recorder.Targets)
		}
		sleep(ctx, sulking)
	}
}

// lasts is how long the watcher keeps a stream of its own accord; 0: for ever.
func (w *Watcher) lasts() time.Duration {
	switch {
	case w.plan.Rewind:
		return time.Duration(800+w.random.Intn(2500)) * time.Millisecond
	case w.plan.Fresh:
		return time.Duration(50+w.random.Intn(300)) * time.Millisecond
	}
	return 0
}

// beginAnew goes back to a revision that is surely there, or nearly so: being told that it is compacted is fine, too. A
// fresh one forgets what it has seen.
func (w *Watcher) beginAnew() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	read := w.readUpTo()
	for i := range w.next {
		if w.plan.Fresh {
			w.next[i] = 0
		} else if w.next[i] > 0 && read > 2 {
			w.next[i] = max(2, read-w.random.Int63n(min(read, 600)))
		}
	}
}

// once keeps one stream until it ends.
func (w *Watcher) once(ctx context.Context) {
	target := w.recorder.Targets[w.Node]
	stream := &history.WatchStream{ID: int(w.recorder.lastID.Add(1)), Watcher: w.Number, Node: w.Node, Life: target.Life(),
		Opened: w.recorder.Clock.Now(), Sleeps: w.plan.Sleeps}
	w.mutex.Lock()
	w.ids = map[int64]int{}
	for i, request := range w.plan.Requests {
		request = proto.CloneOf(request)
		request.StartRevision = w.next[i]
		stream.Requests = append(stream.Requests, request)
	}
	w.current = stream
	w.mutex.Unlock()
	err := w.receive(ctx, target, stream)
	w.mutex.Lock()
	w.current = nil
	w.mutex.Unlock()
	stream.Ended = w.recorder.Clock.Now()
	if err != nil {
		stream.EndError = err.Error()
	}
	if len(stream.Responses) > 0 {
		w.recorder.keepStream(stream)
	}
}

func (w *Watcher) receive(ctx context.Context, target Target, record *history.WatchStream) error {
	var options []grpc.DialOption
	if w.plan.Sleeps {
		options = append(options, grpc.WithInitialWindowSize(sleeperWindow))
	}
	conn, err := dial(target.Address(), options...)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return err
	}
	for _, request := range record.Requests {
		if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}); err != nil {
			break // Recv tells why
		}
	}
	go w.askForProgress(ctx, stream)
	created := 0
	wake := time.Now()
	for {
		if w.plan.Sleeps && time.Now().After(wake) {
			w.doze(ctx)
			wake = time.Now().Add(time.Duration(200+w.random.Intn(600)) * time.Millisecond)
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		w.mutex.Lock()
		record.Responses = append(record.Responses, history.WatchResponse{At: w.recorder.Clock.Now(), Response: response})
		if response.Created {
			w.ids[response.WatchId] = created
			created++
		}
		if response.Canceled {
			// All watches begin anew on another stream; what still comes on this one is heard.
			time.AfterFunc(afterCancellation, end)
		}
		w.follow(response)
		w.mutex.Unlock()
	}
}

func (w *Watcher) doze(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.resting:
	case <-time.After(time.Duration(800+w.random.Intn(1200)) * time.Millisecond):
	}
}

func (w *Watcher) follow(response *pb.WatchResponse) {
	i, is := w.ids[response.WatchId]
	if !is {
		return
	}
	switch {
	case response.Created:
		if w.next[i] == 0 {
			w.next[i] = response.Header.Revision + 1
		}
	case response.Canceled:
		if response.CompactRevision > w.next[i] {
			w.next[i] = response.CompactRevision
		}
	case len(response.Events) > 0:
		if newest := response.Events[len(response.Events)-1].Kv.ModRevision + 1; newest > w.next[i] && !response.Fragment {
			w.next[i] = newest
		}
	}
}

func (w *Watcher) askForProgress(ctx context.Context, stream grpc.BidiStreamingClient[pb.WatchRequest, pb.WatchResponse]) {
	for sleep(ctx, 400*time.Millisecond) {
		request := &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
		if stream.Send(&pb.WatchRequest{RequestUnion: request}) != nil {
			return
		}
	}
}

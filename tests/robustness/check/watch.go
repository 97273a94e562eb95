package check

import (
	"fmt"
	"sort"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// WatchCounts are what the watch check has seen.
type WatchCounts struct {
	Events, Progress, Cancelled, Compacted, Vanished int
	Delays                                           []time.Duration // from commit to arrival, of what was committed while the stream was open
}

// Watches compares every stream with the log: invariants 20 to 36, and 52 under a lost tail.
func Watches(h *history.History, log *truth.Log, lostTail bool, verdict *Verdict) WatchCounts {
	var counts WatchCounts
	for _, stream := range h.Streams {
		c := &streamCheck{h: h, log: log, stream: stream, lostTail: lostTail, verdict: verdict, counts: &counts,
			byID: map[int64]*watchCheck{}}
		c.run()
	}
	sort.Slice(counts.Delays, func(i, j int) bool { return counts.Delays[i] < counts.Delays[j] })
	return counts
}

type streamCheck struct {
	h        *history.History
	log      *truth.Log
	stream   *history.WatchStream
	lostTail bool
	verdict  *Verdict
	counts   *WatchCounts
	created  int
	header   int64
	byID     map[int64]*watchCheck
}

// watchCheck is one watch of the stream: everything below `next` has been delivered or promised.
type watchCheck struct {
	request   *pb.WatchCreateRequest
	next      int64
	cancelled bool
	delivered int64 // the newest event's revision
}

func (c *streamCheck) fail(invariant, format string, arguments ...any) {
	c.verdict.add("watch", "%s: stream %d of watcher %d on node %d: %s", invariant, c.stream.ID, c.stream.Watcher,
		c.stream.Node, fmt.Sprintf(format, arguments...))
}

func (c *streamCheck) run() {
	for i := range c.stream.Responses {
		at, response := c.stream.Responses[i].At, c.stream.Responses[i].Response
		revision := response.Header.GetRevision()
		switch {
		case response.Created:
			c.onCreated(response)
		case response.Canceled:
			c.onCancelled(at, response)
		case len(response.Events) == 0:
			c.onProgress(response)
		default:
			c.onEvents(at, response)
		}
		if revision < c.header && revision > 0 {
			c.fail("34", "a header at revision %d after one at %d", revision, c.header)
		}
		c.header = max(c.header, revision)
	}
	c.atEnd()
}

func (c *streamCheck) onCreated(response *pb.WatchResponse) {
	if c.created == len(c.stream.Requests) {
		c.fail("32", "created more watches than were asked for")
		return
	}
	request := c.stream.Requests[c.created]
	c.created++
	if response.Canceled && response.WatchId == -1 {
		return
	}
	if c.byID[response.WatchId] != nil {
		c.fail("32", "watch id %d was used twice", response.WatchId)
	}
	watch := &watchCheck{request: request, next: request.StartRevision, cancelled: response.Canceled}
	if watch.next == 0 {
		watch.next = response.Header.GetRevision() + 1
		if answered := revisionBefore(c.h, c.stream.Opened); watch.next <= answered {
			c.fail("6,29", "a watch from now on began at %d, after %d had been answered", watch.next, answered)
		}
	}
	c.byID[response.WatchId] = watch
	if len(response.Events) > 0 {
		c.fail("32", "events in the response that says created")
	}
}

func (c *streamCheck) find(response *pb.WatchResponse) *watchCheck {
	watch := c.byID[response.WatchId]
	if watch == nil {
		c.fail("32", "watch %d was not created", response.WatchId)
		return nil
	}
	if watch.cancelled {
		c.fail("31,32", "watch %d goes on after it was cancelled", response.WatchId)
		return nil
	}
	return watch
}

func (c *streamCheck) onCancelled(at int64, response *pb.WatchResponse) {
	watch := c.find(response)
	if watch == nil {
		return
	}
	watch.cancelled = true
	c.counts.Cancelled++
	limit := response.CompactRevision
	if limit == 0 {
		return
	}
	c.counts.Compacted++
	if limit <= watch.next && c.log.JumpTo == 0 {
		c.fail("30", "was cancelled as compacted at %d, and stood at %d", limit, watch.next)
	}
	if asked := compactionAsked(c.h, c.log, at); limit > asked {
		c.fail("30", "was cancelled as compacted at %d, at most %d was asked for", limit, asked)
	}
}

func (c *streamCheck) onProgress(response *pb.WatchResponse) {
	c.counts.Progress++
	revision := response.Header.GetRevision()
	if response.WatchId == -1 {
		if c.created < len(c.stream.Requests) {
			return // its revision binds the watches that there are
		}
		for _, watch := range c.byID {
			if !watch.cancelled && revision >= watch.next {
				c.progress(watch, revision)
			}
		}
		return
	}
	if watch := c.find(response); watch != nil {
		if revision+1 < watch.request.StartRevision {
			c.fail("28", "progress at %d before the start at %d", revision, watch.request.StartRevision)
		}
		c.progress(watch, revision)
	}
}

func (c *streamCheck) progress(watch *watchCheck, revision int64) {
	if revision < watch.delivered {
		c.fail("33", "progress at %d after an event at %d", revision, watch.delivered)
	}
	if missing, is := c.nextOf(watch); is && missing <= revision {
		if !c.passed(watch, revision) {
			c.fail("26,33", "progress at %d, and revision %d was not delivered", revision, missing)
		}
	}
	watch.next = max(watch.next, revision+1)
}

// passed: under a lost tail the revisions of old and new logs are not of one order.
func (c *streamCheck) passed(watch *watchCheck, revision int64) bool {
	if c.log.JumpTo > 0 && watch.next <= c.log.JumpFrom && revision >= c.log.JumpTo {
		c.fail("52", "goes on to %d behind the jump, without having been cancelled", revision)
		return true
	}
	return false
}

// nextOf is the next revision that the watch has to show.
func (c *streamCheck) nextOf(watch *watchCheck) (int64, bool) {
	for _, number := range c.log.Since(watch.next) {
		if len(c.matching(watch, number)) > 0 {
			return number, true
		}
	}
	return 0, false
}

func (c *streamCheck) matching(watch *watchCheck, number int64) []truth.Change {
	var found []truth.Change
	for _, change := range c.log.Revisions[number].Changes {
		if !inRange(change.Key, watch.request.Key, watch.request.RangeEnd) {
			continue
		}
		dropped := pb.WatchCreateRequest_NOPUT
		if change.Delete {
			dropped = pb.WatchCreateRequest_NODELETE
		}
		wanted := true
		for _, filter := range watch.request.Filters {
			wanted = wanted && filter != dropped
		}
		if wanted {
			found = append(found, change)
		}
	}
	return found
}

func (c *streamCheck) onEvents(at int64, response *pb.WatchResponse) {
	watch := c.find(response)
	if watch == nil {
		return
	}
	events := response.Events
	if newest := events[len(events)-1].Kv.GetModRevision(); response.Header.GetRevision() < newest {
		c.fail("34", "the header says %d, the last event is of %d", response.Header.GetRevision(), newest)
	}
	c.counts.Events += len(events)
	for len(events) > 0 {
		number := events[0].Kv.GetModRevision()
		size := 1
		for size < len(events) && events[size].Kv.GetModRevision() == number {
			size++
		}
		if !c.onRevision(at, watch, number, events[:size]) {
			watch.cancelled = true // one message for each broken stream is enough
			return
		}
		events = events[size:]
	}
}

func (c *streamCheck) onRevision(at int64, watch *watchCheck, number int64, events []*mvccpb.Event) bool {
	if c.lostTail && c.log.JumpTo > 0 && number > c.log.JumpFrom && number <= c.log.JumpTo {
		c.counts.Vanished += len(events)
		watch.delivered = number
		return true
	}
	if number < watch.next {
		c.fail("21,22,28", "an event of revision %d where %d was next", number, watch.next)
		return false
	}
	if c.log.JumpTo > 0 && watch.next < c.log.JumpTo && number > c.log.JumpTo {
		c.fail("52", "an event of %d behind the jump, where %d was next, without a cancellation", number, watch.next)
		return false
	}
	expected, is := c.nextOf(watch)
	if !is || expected != number {
		c.fail("20,24", "an event of revision %d (%q) where %d was next", number, events[0].Kv.Key, expected)
		return false
	}
	changes := c.matching(watch, number)
	if len(changes) != len(events) {
		c.fail("23", "%d events of revision %d, the log has %d", len(events), number, len(changes))
		return false
	}
	for i, event := range events {
		if !c.sameEvent(at, watch, event, changes[i]) {
			return false
		}
	}
	watch.next, watch.delivered = number+1, number
	if committed := c.h.Clock.At(c.log.Revisions[number].Committed); committed > c.stream.Opened && !c.stream.Sleeps {
		c.counts.Delays = append(c.counts.Delays, time.Duration(at-committed))
	}
	return true
}

func (c *streamCheck) sameEvent(at int64, watch *watchCheck, event *mvccpb.Event, change truth.Change) bool {
	if (event.Type == mvccpb.Event_DELETE) != change.Delete || !proto.Equal(event.Kv, change.KV) {
		c.fail("20,27", "the event %v, the log has %s", event, shownChanges([]truth.Change{change}))
		return false
	}
	if event.PrevKv == nil && (!watch.request.PrevKv || change.Prev == nil ||
		change.KV.ModRevision-1 < compactionAsked(c.h, c.log, at)) {
		return true
	}
	if !watch.request.PrevKv || !proto.Equal(event.PrevKv, change.Prev) {
		c.fail("27", "revision %d of %q has the previous value %v, not %v", change.KV.ModRevision, change.Key,
			event.PrevKv, change.Prev)
		return false
	}
	return true
}

func (c *streamCheck) atEnd() {
	if c.stream.MustReach == 0 {
		return
	}
	if c.created < len(c.stream.Requests) {
		c.fail("32", "a watch was never created")
	}
	for _, watch := range c.byID {
		if missing, is := c.nextOf(watch); is && !watch.cancelled && missing <= c.stream.MustReach {
			c.fail("24,37", "never got revision %d of %q; next was %d, the head %d", missing, watch.request.Key, watch.next,
				c.stream.MustReach)
		}
	}
}

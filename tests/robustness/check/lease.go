package check

import (
	"sort"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// The database's wall clock is compared with the harness's, on one machine: both may be stepped a little.
const clockSlack = int64(20 * time.Millisecond)

// LeaseRules are what a run allows leases.
type LeaseRules struct {
	Ended    int64 // when the run had settled: leases may not outlive it by more than their time
	Grace    time.Duration
	LostTail bool
}

// leaseStory is what clients know of one lease.
type leaseStory struct {
	granted  *history.Op
	renewals []*history.Op
	revokes  []*history.Op
	lookups  []*history.Op
}

// Leases checks 38 to 44.
func Leases(h *history.History, log *truth.Log, rules LeaseRules, verdict *Verdict) {
	for id, story := range stories(h) {
		if rules.LostTail && story.granted.Revision() < log.JumpTo {
			continue // what is known of it may have vanished
		}
		lease := log.Leases[id]
		if lease == nil {
			verdict.add("lease", "3: lease %x was granted, and is not in the log", id)
			continue
		}
		if asked := story.granted.Request.(*pb.LeaseGrantRequest).TTL; lease.TTL < asked {
			verdict.add("lease", "38: lease %x has a TTL of %d s, %d were asked for", id, lease.TTL, asked)
		}
		neverEarly(h, story, lease, verdict)
		eventually(h, story, lease, log, rules, verdict)
		afterItsEnd(h, story, lease, verdict)
		attached(story, log, lease, verdict)
	}
}

func stories(h *history.History) map[int64]*leaseStory {
	found := map[int64]*leaseStory{}
	for _, op := range h.Ops {
		if answer, is := op.Response.(*pb.LeaseGrantResponse); is && op.Outcome == history.OK {
			found[answer.ID] = &leaseStory{granted: op}
		}
	}
	for _, op := range h.Ops {
		switch request := op.Request.(type) {
		case *pb.LeaseKeepAliveRequest:
			if story := found[request.ID]; story != nil && op.Outcome == history.OK {
				story.renewals = append(story.renewals, op)
			}
		case *pb.LeaseRevokeRequest:
			if story := found[request.ID]; story != nil && op.Outcome != history.Refused {
				story.revokes = append(story.revokes, op)
			}
		case *pb.LeaseTimeToLiveRequest:
			if story := found[request.ID]; story != nil && op.Outcome == history.OK {
				story.lookups = append(story.lookups, op)
			}
		}
	}
	return found
}

// neverEarly is 39: nothing ends a lease by itself before the last answered renewal was sent + TTL.
func neverEarly(h *history.History, story *leaseStory, lease *truth.Lease, verdict *Verdict) {
	if lease.GoneAt == 0 || len(story.revokes) > 0 {
		return
	}
	gone := h.Clock.At(lease.Gone)
	safe := story.granted.Call + lease.TTL*int64(time.Second)
	for _, renewal := range story.renewals {
		if answer := renewal.Response.(*pb.LeaseKeepAliveResponse); answer.TTL > 0 && renewal.Call < gone {
			safe = max(safe, renewal.Call+answer.TTL*int64(time.Second))
		}
	}
	if gone+clockSlack < safe {
		verdict.add("lease", "39: lease %x expired %v early", lease.ID, time.Duration(safe-gone))
	}
}

// eventually is 40: TTL + grace after the last renewal was received, once more the TTL for each change of ownership.
func eventually(h *history.History, story *leaseStory, lease *truth.Lease, log *truth.Log, rules LeaseRules,
	verdict *Verdict) {
	ttl := lease.TTL * int64(time.Second)
	due := story.granted.Return + ttl
	for _, renewal := range story.renewals {
		due = max(due, renewal.Return+ttl)
	}
	for _, takeover := range log.Takeovers {
		if at := h.Clock.At(takeover); at > story.granted.Call && at < due+int64(rules.Grace) {
			due = max(due, at+ttl)
		}
	}
	due += int64(rules.Grace)
	if lease.GoneAt == 0 && due < rules.Ended {
		verdict.add("lease", "40: lease %x with a TTL of %d s was due %v before the end, and lives", lease.ID, lease.TTL,
			time.Duration(rules.Ended-due))
	}
}

// afterItsEnd is 43: no renewal, no put finds a lease whose end had been answered or logged before.
func afterItsEnd(h *history.History, story *leaseStory, lease *truth.Lease, verdict *Verdict) {
	end := int64(-1)
	for _, revoke := range story.revokes {
		if revoke.Outcome == history.OK && (end < 0 || revoke.Return < end) {
			end = revoke.Return
		}
	}
	if end < 0 {
		return
	}
	for _, renewal := range story.renewals {
		if renewal.Call > end && renewal.Response.(*pb.LeaseKeepAliveResponse).TTL > 0 {
			verdict.add("lease", "43: op %d renewed lease %x after its revocation had been answered", renewal.ID, lease.ID)
		}
	}
	for _, lookup := range story.lookups {
		if lookup.Call > end && lookup.Response.(*pb.LeaseTimeToLiveResponse).TTL >= 0 {
			verdict.add("lease", "43: op %d saw lease %x after its revocation had been answered", lookup.ID, lease.ID)
		}
	}
	for _, op := range h.Ops {
		if put, is := op.Request.(*pb.PutRequest); is && put.Lease == lease.ID && op.Call > end && op.Outcome == history.OK {
			verdict.add("lease", "43: op %d put with lease %x after its revocation had been answered", op.ID, lease.ID)
		}
	}
}

// attached is 44: the keys of a lease are those of the log at the header's revision.
func attached(story *leaseStory, log *truth.Log, lease *truth.Lease, verdict *Verdict) {
	for _, lookup := range story.lookups {
		answer := lookup.Response.(*pb.LeaseTimeToLiveResponse)
		revision := lookup.Revision()
		if answer.TTL < 0 || revision > log.Head || lease.GoneAt != 0 && revision >= lease.GoneAt {
			continue
		}
		var expected []string
		for _, name := range log.Names() {
			if kv := log.At(name, revision); kv.GetLease() == lease.ID {
				expected = append(expected, name)
			}
		}
		var got []string
		for _, key := range answer.Keys {
			got = append(got, string(key))
		}
		sort.Strings(got)
		if len(got) != len(expected) || !equalStrings(got, expected) {
			verdict.add("lease", "44: op %d at %d saw the keys %q of lease %x, the log has %q", lookup.ID, revision, got,
				lease.ID, expected)
		}
	}
}

func equalStrings(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

package check

import (
	"math/rand"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// recorded is the beginning of a real run, cut by -record.
const recorded = "testdata/good.json.gz"

// roundsOfEach times the number of corruptions is how many damaged histories there are: more than 200.
const roundsOfEach = 8

// expires names the leases of the recorded run that ran out by themselves.
var expires = map[int64]bool{}

func load(t *testing.T) (*history.History, *truth.Log) {
	t.Helper()
	var chain []*truth.Batch
	h, err := history.Load(recorded, &chain)
	if err != nil {
		t.Fatal(err)
	}
	log := truth.Replay(chain)
	revoked := map[int64]bool{}
	for _, op := range h.Ops {
		if request, is := op.Request.(*pb.LeaseRevokeRequest); is {
			revoked[request.ID] = true
		}
	}
	for id, lease := range log.Leases {
		expires[id] = lease.GoneAt != 0 && !revoked[id]
	}
	return h, log
}

var testRules = Rules{Porcupine: 20 * time.Second}

func TestTheRecordedHistoryIsGood(t *testing.T) {
	h, log := load(t)
	result := History(h, log, testRules)
	for _, violation := range result.Verdict.Violations {
		t.Errorf("[%s] %s", violation.Check, violation.Text)
	}
	if len(log.Problems) > 0 {
		t.Error(log.Problems)
	}
	if result.PorcupineOps < 50 || result.Watches.Events < 500 {
		t.Errorf("too little to judge: %d operations for porcupine, %d events", result.PorcupineOps, result.Watches.Events)
	}
}

func TestEveryCorruptionIsRejected(t *testing.T) {
	h, log := load(t)
	damaged := 0
	for _, c := range corruptions {
		done := 0
		for seed := int64(0); done < roundsOfEach && seed < 20*roundsOfEach; seed++ {
			bad := *h
			bad.Ops = append([]*history.Op(nil), h.Ops...)
			bad.Streams = append([]*history.WatchStream(nil), h.Streams...)
			if !c.do(&bad, rand.New(rand.NewSource(seed))) {
				continue
			}
			done++
			if result := History(&bad, log, testRules); result.Verdict.Good() {
				t.Errorf("%s (seed %d) was not noticed", c.name, seed)
			}
		}
		if done == 0 {
			t.Errorf("%s: the recorded history offers nothing to damage", c.name)
		}
		damaged += done
	}
	t.Logf("%d damaged histories", damaged)
	if damaged < 200 {
		t.Errorf("only %d damaged histories", damaged)
	}
}

func TestPorcupineAloneNoticesAStaleRegister(t *testing.T) {
	h, log := load(t)
	for seed := range int64(roundsOfEach) {
		bad := *h
		bad.Ops = append([]*history.Op(nil), h.Ops...)
		if !staleRegister(&bad, rand.New(rand.NewSource(seed))) {
			t.Fatal("nothing to damage")
		}
		var verdict Verdict
		if Porcupine(&bad, log, 20*time.Second, &verdict); verdict.Good() {
			t.Errorf("seed %d was not noticed", seed)
		}
	}
}

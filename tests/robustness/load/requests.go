package load

import (
	"fmt"
	"math/rand"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/check"
)

const (
	keyPrefix = "k/"
	keyCount  = 12
	registers = 6
	// Of many keys that come and go; only Churn touches them.
	churnPrefix = "c/"
	// registerClients may touch the registers: porcupine copes with so many.
	registerClients = 8
)

// generator makes requests: a value is the id of its operation, padded.
type generator struct {
	random *rand.Rand
	client int
	recent int64 // a revision that was seen, for reads of the past
	values map[string]string
}

func newGenerator(seed int64, client int) *generator {
	return &generator{random: rand.New(rand.NewSource(seed)), client: client, values: map[string]string{}}
}

func (g *generator) key() []byte {
	return fmt.Appendf(nil, "%s%02d", keyPrefix, g.random.Intn(keyCount))
}

func (g *generator) register() []byte {
	return fmt.Appendf(nil, "%s%d", check.RegisterPrefix, g.random.Intn(registers))
}

func (g *generator) value(id int64) []byte {
	size := g.random.Intn(60)
	if g.random.Intn(8) == 0 {
		size = 4096
	}
	return fmt.Appendf(nil, "v%d.%s", id, strings.Repeat("x", size))
}

func end(prefix string) []byte {
	last := []byte(prefix)
	last[len(last)-1]++
	return last
}

// next makes a request for the operation with this id.
func (g *generator) next(id int64) proto.Message {
	if g.client < registerClients && g.random.Intn(3) == 0 {
		return g.onRegister(id)
	}
	switch draw := g.random.Intn(100); {
	case draw < 30:
		return &pb.PutRequest{Key: g.key(), Value: g.value(id), PrevKv: g.random.Intn(2) == 0}
	case draw < 38:
		return &pb.DeleteRangeRequest{Key: g.key(), PrevKv: g.random.Intn(2) == 0}
	case draw < 40:
		low := g.key()
		return &pb.DeleteRangeRequest{Key: low, RangeEnd: append(low, 0xff), PrevKv: true}
	case draw < 58:
		return g.txn(id)
	case draw < 70:
		return &pb.RangeRequest{Key: g.key()}
	case draw < 80:
		return g.list(false)
	case draw < 90:
		return g.list(true)
	}
	if g.recent < 3 {
		return &pb.RangeRequest{Key: g.key(), Serializable: true}
	}
	past := g.recent - g.random.Int63n(min(g.recent, 300))
	if g.random.Intn(6) == 0 {
		past = g.recent + 1 + g.random.Int63n(20) // perhaps not there yet
	}
	return &pb.RangeRequest{Key: []byte(keyPrefix), RangeEnd: end(keyPrefix), Revision: max(past, 1),
		Serializable: g.random.Intn(2) == 0}
}

func (g *generator) list(serializable bool) *pb.RangeRequest {
	r := &pb.RangeRequest{Key: []byte(keyPrefix), RangeEnd: end(keyPrefix), Serializable: serializable}
	switch g.random.Intn(4) {
	case 0:
		r.Limit = int64(1 + g.random.Intn(keyCount))
	case 1:
		r.KeysOnly = true
	case 2:
		r.CountOnly = true
	}
	return r
}

// txn compares one key and changes up to three others, which it reads before and after.
func (g *generator) txn(id int64) *pb.TxnRequest {
	compared := g.key()
	r := &pb.TxnRequest{}
	compare := &pb.Compare{Key: compared, Result: pb.Compare_CompareResult(g.random.Intn(4))}
	switch g.random.Intn(3) {
	case 0:
		compare.Target, compare.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: g.random.Int63n(g.recent + 2)}
	case 1:
		compare.Target, compare.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: g.random.Int63n(4)}
	default:
		compare.Target, compare.TargetUnion = pb.Compare_CREATE, &pb.Compare_CreateRevision{}
	}
	r.Compare = append(r.Compare, compare)
	value := g.value(id)
	order := g.random.Perm(keyCount)
	for i := range 1 + g.random.Intn(3) {
		key := fmt.Appendf(nil, "%s%02d", keyPrefix, order[i])
		r.Success = append(r.Success, putOp(key, value), rangeOp(&pb.RangeRequest{Key: key}))
	}
	if g.random.Intn(2) == 0 {
		r.Success = append(r.Success, deleteOp(fmt.Appendf(nil, "%s%02d", keyPrefix, order[5])))
	}
	r.Success = append(r.Success, rangeOp(g.list(false)))
	if r.Failure = append(r.Failure, rangeOp(g.list(false))); g.random.Intn(3) == 0 {
		r.Failure = append(r.Failure, putOp(compared, value))
	}
	return r
}

// onRegister is a single-key request, as check.Porcupine understands.
func (g *generator) onRegister(id int64) proto.Message {
	key := g.register()
	value := g.value(id)
	switch draw := g.random.Intn(10); {
	case draw < 4:
		return &pb.RangeRequest{Key: key}
	case draw < 7:
		g.values[string(key)] = string(value)
		return &pb.PutRequest{Key: key, Value: value}
	case draw < 8:
		return &pb.DeleteRangeRequest{Key: key}
	}
	expected := g.values[string(key)]
	if expected == "" {
		return &pb.RangeRequest{Key: key}
	}
	return &pb.TxnRequest{Compare: []*pb.Compare{{Key: key, Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_Value{Value: []byte(expected)}}}, Success: []*pb.RequestOp{putOp(key, value)}}
}

// saw remembers what an answer tells, so that later requests hit the mark.
func (g *generator) saw(request, response proto.Message, revision int64) {
	g.recent = max(g.recent, revision)
	if read, is := request.(*pb.RangeRequest); is && len(read.RangeEnd) == 0 {
		if kvs := response.(*pb.RangeResponse).Kvs; len(kvs) == 1 {
			g.values[string(read.Key)] = string(kvs[0].Value)
		}
	}
}

func putOp(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

func rangeOp(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// Package check judges a history by the log. The numbers in its messages are the invariants of the reliability notes.
package check

import (
	"bytes"
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"lattice/tests/robustness/truth"
)

// model is the state of one revision of the log with changes on top: etcd's semantics, naively.
type model struct {
	log     *truth.Log
	base    int64
	next    int64 // the revision that changes get
	changed map[string]*mvccpb.KeyValue
	changes []truth.Change
}

func newModel(log *truth.Log, base, next int64) *model {
	return &model{log: log, base: base, next: next, changed: map[string]*mvccpb.KeyValue{}}
}

func (m *model) get(key string) *mvccpb.KeyValue {
	if kv, is := m.changed[key]; is {
		return kv
	}
	return m.log.At(key, m.base)
}

// scan returns the keys of [key, end) in order; an empty end means the one key.
func (m *model) scan(key, end []byte) []*mvccpb.KeyValue {
	var found []*mvccpb.KeyValue
	if len(end) == 0 {
		if kv := m.get(string(key)); kv != nil {
			found = append(found, kv)
		}
		return found
	}
	names := m.log.Names()
	for _, name := range names[sort.SearchStrings(names, string(key)):] {
		if !inRange(name, key, end) {
			break
		}
		if kv := m.get(name); kv != nil {
			found = append(found, kv)
		}
	}
	return found
}

func inRange(name string, key, end []byte) bool {
	if len(end) == 0 {
		return name == string(key)
	}
	return name >= string(key) && (bytes.Equal(end, []byte{0}) || name < string(end))
}

// answer evaluates a request and returns the response that etcd would give, without headers.
func (m *model) answer(request proto.Message) proto.Message {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return m.ranged(r)
	case *pb.PutRequest:
		return m.put(r)
	case *pb.DeleteRangeRequest:
		return m.deleted(r)
	case *pb.TxnRequest:
		return m.txn(r)
	}
	return nil
}

func (m *model) ranged(r *pb.RangeRequest) *pb.RangeResponse {
	found := m.scan(r.Key, r.RangeEnd)
	answer := &pb.RangeResponse{Count: int64(len(found))}
	if r.CountOnly {
		return answer
	}
	if r.Limit > 0 && int64(len(found)) > r.Limit {
		answer.More = true
		found = found[:r.Limit]
	}
	for _, kv := range found {
		if r.KeysOnly {
			kv = proto.CloneOf(kv)
			kv.Value, kv.Lease = nil, 0 // as etcd 3.7 answers it
		}
		answer.Kvs = append(answer.Kvs, kv)
	}
	return answer
}

func (m *model) put(r *pb.PutRequest) *pb.PutResponse {
	before := m.get(string(r.Key))
	kv := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, ModRevision: m.next, CreateRevision: m.next,
		Version: 1}
	if before != nil {
		kv.CreateRevision, kv.Version = before.CreateRevision, before.Version+1
	}
	m.changed[string(r.Key)] = kv
	m.changes = append(m.changes, truth.Change{Key: string(r.Key), KV: kv, Prev: before})
	answer := &pb.PutResponse{}
	if r.PrevKv {
		answer.PrevKv = before
	}
	return answer
}

func (m *model) deleted(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	answer := &pb.DeleteRangeResponse{}
	for _, before := range m.scan(r.Key, r.RangeEnd) {
		key := string(before.Key)
		m.changed[key] = nil
		m.changes = append(m.changes, truth.Change{Key: key, Delete: true, Prev: before,
			KV: &mvccpb.KeyValue{Key: before.Key, ModRevision: m.next}})
		answer.Deleted++
		if r.PrevKv {
			answer.PrevKvs = append(answer.PrevKvs, before)
		}
	}
	return answer
}

func (m *model) txn(r *pb.TxnRequest) *pb.TxnResponse {
	answer := &pb.TxnResponse{Succeeded: true}
	for _, compare := range r.Compare {
		answer.Succeeded = answer.Succeeded && m.holds(compare)
	}
	branch := r.Success
	if !answer.Succeeded {
		branch = r.Failure
	}
	for _, op := range branch {
		answer.Responses = append(answer.Responses, m.operation(op))
	}
	return answer
}

func (m *model) operation(op *pb.RequestOp) *pb.ResponseOp {
	switch r := op.Request.(type) {
	case *pb.RequestOp_RequestRange:
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: m.ranged(r.RequestRange)}}
	case *pb.RequestOp_RequestPut:
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: m.put(r.RequestPut)}}
	case *pb.RequestOp_RequestDeleteRange:
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{
			ResponseDeleteRange: m.deleted(r.RequestDeleteRange)}}
	}
	return &pb.ResponseOp{}
}

// holds evaluates a comparison of one key, as etcd does: a missing key has zeros, and no value at all.
func (m *model) holds(c *pb.Compare) bool {
	kv := m.get(string(c.Key))
	if kv == nil {
		if c.Target == pb.Compare_VALUE {
			return false
		}
		kv = &mvccpb.KeyValue{}
	}
	order := 0
	switch c.Target {
	case pb.Compare_VALUE:
		order = bytes.Compare(kv.Value, c.GetValue())
	case pb.Compare_CREATE:
		order = compareNumbers(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		order = compareNumbers(kv.ModRevision, c.GetModRevision())
	case pb.Compare_VERSION:
		order = compareNumbers(kv.Version, c.GetVersion())
	case pb.Compare_LEASE:
		order = compareNumbers(kv.Lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	}
	return order < 0
}

func compareNumbers(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

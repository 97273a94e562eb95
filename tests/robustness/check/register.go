package check

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/history"
	"lattice/tests/robustness/truth"
)

// RegisterPrefix is the prefix of the keys that only single-key requests of at most eight clients touch: porcupine
// judges them without looking at revisions.
const RegisterPrefix = "p/"

const windowOps = 2000

type registerInput struct {
	key   string
	write bool
	value string // written; empty deletes
	cond  bool   // only when the value is `if`
	if_   string
}

type registerOutput struct {
	unknown   bool
	value     string // read
	succeeded bool
}

var registerModel = porcupine.Model{
	Partition: partitionByKey,
	Init:      func() any { return "" },
	Step:      registerStep,
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

func registerStep(state, input, output any) (bool, any) {
	in, out := input.(registerInput), output.(registerOutput)
	if !in.write {
		return out.value == state.(string), state
	}
	if !in.cond {
		return true, in.value
	}
	holds := state.(string) == in.if_
	if !out.unknown && out.succeeded != holds {
		return false, state
	}
	if holds {
		return true, in.value
	}
	return true, state
}

func partitionByKey(ops []porcupine.Operation) [][]porcupine.Operation {
	byKey := map[string][]porcupine.Operation{}
	for _, op := range ops {
		key := op.Input.(registerInput).key
		byKey[key] = append(byKey[key], op)
	}
	var parts [][]porcupine.Operation
	for _, part := range byKey {
		parts = append(parts, part)
	}
	return parts
}

// Porcupine judges the first window of the register keys. It returns the verdict and how many operations it judged.
func Porcupine(h *history.History, log *truth.Log, timeout time.Duration, verdict *Verdict) (string, int) {
	ops := registerOps(h, log)
	result := porcupine.CheckOperationsTimeout(registerModel, ops, timeout)
	switch result {
	case porcupine.Illegal:
		verdict.add("porcupine", "6,7: the histories of the keys under %s are not linearizable", RegisterPrefix)
	case porcupine.Unknown:
		verdict.add("porcupine", "porcupine did not finish with %d operations", len(ops))
	}
	return string(result), len(ops)
}

func registerOps(h *history.History, log *truth.Log) []porcupine.Operation {
	written := map[string]bool{}
	for _, number := range log.Order {
		for _, change := range log.Revisions[number].Changes {
			written[string(change.KV.Value)] = true
		}
	}
	var ops []porcupine.Operation
	for _, op := range h.Ops {
		in, out, is := asRegister(op)
		if !is || op.Outcome == history.Refused {
			continue
		}
		returned := op.Return
		if op.Outcome == history.Unknown {
			// Unknown outcomes are resolved by the log: what is not there had no effect.
			if !in.write || in.value != "" && !written[in.value] {
				continue
			}
			out.unknown, returned = true, math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{ClientId: op.Stream, Input: in, Call: op.Call, Output: out, Return: returned})
	}
	return window(ops)
}

// window keeps a prefix by call time. What returns behind its end may have seen what is cut off: such reads go, and
// such writes may or may not have happened.
func window(ops []porcupine.Operation) []porcupine.Operation {
	sort.Slice(ops, func(i, j int) bool { return ops[i].Call < ops[j].Call })
	if len(ops) <= windowOps {
		return ops
	}
	end := ops[windowOps].Call
	var kept []porcupine.Operation
	for _, op := range ops[:windowOps] {
		if op.Return >= end {
			if !op.Input.(registerInput).write {
				continue
			}
			op.Return, op.Output = math.MaxInt64, registerOutput{unknown: true}
		}
		kept = append(kept, op)
	}
	return kept
}

func asRegister(op *history.Op) (in registerInput, out registerOutput, is bool) {
	switch r := op.Request.(type) {
	case *pb.PutRequest:
		in = registerInput{key: string(r.Key), write: true, value: string(r.Value)}
	case *pb.DeleteRangeRequest:
		in = registerInput{key: string(r.Key), write: true}
	case *pb.RangeRequest:
		in = registerInput{key: string(r.Key)}
		if r.Serializable || r.Revision != 0 {
			return in, out, false
		}
		if answer, answered := op.Response.(*pb.RangeResponse); answered && len(answer.Kvs) > 0 {
			out.value = string(answer.Kvs[0].Value)
		}
	case *pb.TxnRequest:
		if len(r.Compare) != 1 || len(r.Success) != 1 || r.Compare[0].Target != pb.Compare_VALUE {
			return in, out, false
		}
		in = registerInput{key: string(r.Compare[0].Key), write: true, cond: true, if_: string(r.Compare[0].GetValue()),
			value: string(r.Success[0].GetRequestPut().GetValue())}
		if answer, answered := op.Response.(*pb.TxnResponse); answered {
			out.succeeded = answer.Succeeded
		}
	default:
		return in, out, false
	}
	return in, out, strings.HasPrefix(in.key, RegisterPrefix)
}

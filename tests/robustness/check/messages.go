package check

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"lattice/tests/robustness/truth"
)

func sameChanges(a, b []truth.Change) bool {
	return slices.EqualFunc(a, b, func(x, y truth.Change) bool {
		return x.Key == y.Key && x.Delete == y.Delete && proto.Equal(x.KV, y.KV)
	})
}

// differs compares an answer with the expected one; headers aside.
func differs(expected, got proto.Message) bool { return !proto.Equal(expected, headless(got)) }

func headless(message proto.Message) proto.Message {
	clone := proto.Clone(message)
	strip(clone.ProtoReflect())
	return clone
}

func strip(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Name() == "header":
			message.Clear(field)
		case field.IsList() && field.Message() != nil:
			for i := 0; i < value.List().Len(); i++ {
				strip(value.List().Get(i).Message())
			}
		case field.Message() != nil && !field.IsMap():
			strip(value.Message())
		}
		return true
	})
}

// values lists the unique values that a request would write.
func values(request proto.Message) []string {
	switch r := request.(type) {
	case *pb.PutRequest:
		return []string{string(r.Value)}
	case *pb.TxnRequest:
		var found []string
		for _, op := range slices.Concat(r.Success, r.Failure) {
			if put := op.GetRequestPut(); put != nil && !slices.Contains(found, string(put.Value)) {
				found = append(found, string(put.Value))
			}
		}
		return found
	}
	return nil
}

func shown(message proto.Message) string {
	if message == nil || reflect.ValueOf(message).IsNil() {
		return "nothing"
	}
	text := fmt.Sprintf("%s{%v}", message.ProtoReflect().Descriptor().Name(), headless(message))
	if len(text) > 500 {
		text = text[:500] + "..."
	}
	return text
}

func shownChanges(changes []truth.Change) string {
	var text bytes.Buffer
	for _, change := range changes {
		fmt.Fprintf(&text, "[%q %s version %d lease %x %.16q] ", change.Key, pick(change.Delete, "deleted", "put"),
			change.KV.Version, change.KV.Lease, change.KV.Value)
	}
	if text.Len() == 0 {
		return "nothing"
	}
	return text.String()
}

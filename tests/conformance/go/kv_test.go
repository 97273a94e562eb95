package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func TestPutGetDelete(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	put := must(client.Put(ctx, "kv/a", "1"))(t)
	again := must(client.Put(ctx, "kv/a", "2", clientv3.WithPrevKV()))(t)
	if again.Header.Revision != put.Header.Revision+1 || string(again.PrevKv.Value) != "1" {
		t.Fatalf("unexpected %v after %v", again, put)
	}
	must(client.Put(ctx, "kv/b", "3"))(t)
	list := must(client.Get(ctx, "kv/", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)))(t)
	if list.Count != 2 || string(list.Kvs[0].Key) != "kv/b" {
		t.Fatalf("unexpected list %v", list)
	}
	old := must(client.Get(ctx, "kv/a", clientv3.WithRev(put.Header.Revision)))(t)
	if string(old.Kvs[0].Value) != "1" {
		t.Fatalf("unexpected old value %v", old)
	}
	deleted := must(client.Delete(ctx, "kv/", clientv3.WithPrefix(), clientv3.WithPrevKV()))(t)
	if deleted.Deleted != 2 || len(deleted.PrevKvs) != 2 {
		t.Fatalf("unexpected delete %v", deleted)
	}
}

func TestTypedErrors(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	must(client.Put(ctx, "errors", "1"))(t)
	revision := must(client.Put(ctx, "errors", "2"))(t).Header.Revision
	must(client.Compact(ctx, revision))(t)
	cases := []struct {
		name string
		want error
		call func() error
	}{
		{"empty key", rpctypes.ErrEmptyKey, func() error { _, err := client.Put(ctx, "", "x"); return err }},
		{"compacted", rpctypes.ErrCompacted, func() error {
			_, err := client.Get(ctx, "errors", clientv3.WithRev(revision-1))
			return err
		}},
		{"future", rpctypes.ErrFutureRev, func() error {
			_, err := client.Get(ctx, "errors", clientv3.WithRev(revision+1000))
			return err
		}},
		{"lease", rpctypes.ErrLeaseNotFound, func() error {
			_, err := client.Put(ctx, "errors", "x", clientv3.WithLease(12345))
			return err
		}},
		{"ignored value", rpctypes.ErrKeyNotFound, func() error {
			_, err := client.Put(ctx, "errors/none", "", clientv3.WithIgnoreValue())
			return err
		}},
		{"duplicate", rpctypes.ErrDuplicateKey, func() error {
			_, err := client.Txn(ctx).Then(clientv3.OpPut("d", "1"), clientv3.OpPut("d", "2")).Commit()
			return err
		}},
		{"too large", rpctypes.ErrRequestTooLarge, func() error {
			_, err := client.Put(ctx, "errors", strings.Repeat("x", 1600*1024))
			return err
		}},
		{"compact compacted", rpctypes.ErrCompacted, func() error { _, err := client.Compact(ctx, revision); return err }},
	}
	for _, test := range cases {
		if err := test.call(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestTxn(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	create := func(value string) *clientv3.TxnResponse {
		return must(client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision("txn/k"), "=", 0)).
			Then(clientv3.OpPut("txn/k", value)).Else(clientv3.OpGet("txn/k")).Commit())(t)
	}
	if first := create("1"); !first.Succeeded {
		t.Fatal("the key was there already")
	}
	second := create("2")
	if second.Succeeded || string(second.Responses[0].GetResponseRange().Kvs[0].Value) != "1" {
		t.Fatalf("unexpected %v", second)
	}
}

// The paging that kube-apiserver does: a pinned revision, the remaining count of each page.
func TestPaging(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	const keys, page = 57, 10
	for number := 0; number < keys; number++ {
		must(client.Put(ctx, fmt.Sprintf("page/%03d", number), "x"))(t)
	}
	end, from, seen, revision := clientv3.GetPrefixRangeEnd("page/"), "page/", 0, int64(0)
	for {
		got := must(client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(page), clientv3.WithRev(revision)))(t)
		if got.Count != int64(keys-seen) {
			t.Fatalf("count %d after %d keys of %d", got.Count, seen, keys)
		}
		seen += len(got.Kvs)
		if !got.More {
			break
		}
		if revision == 0 {
			revision = got.Header.Revision
			must(client.Put(ctx, "page/000x", "later"))(t)
		}
		from = string(got.Kvs[len(got.Kvs)-1].Key) + "\x00"
	}
	if seen != keys {
		t.Fatalf("%d keys, want %d", seen, keys)
	}
}

func TestRangeStream(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	for number := 0; number < 300; number++ {
		must(client.Put(ctx, fmt.Sprintf("stream/%03d", number), strings.Repeat("v", 2000)))(t)
	}
	stream := must(client.GetStream(ctx, "stream/", clientv3.WithPrefix()))(t)
	whole := must(clientv3.GetStreamToGetResponse(stream))(t)
	list := must(client.Get(ctx, "stream/", clientv3.WithPrefix()))(t)
	if whole.Count != list.Count || len(whole.Kvs) != len(list.Kvs) || whole.Header.Revision != list.Header.Revision {
		t.Fatalf("stream: %d of %d at %d, list: %d of %d at %d", len(whole.Kvs), whole.Count, whole.Header.Revision,
			len(list.Kvs), list.Count, list.Header.Revision)
	}
	for index := range list.Kvs {
		if list.Kvs[index].String() != whole.Kvs[index].String() {
			t.Fatalf("key %d differs", index)
		}
	}
}

func TestCompressedCalls(t *testing.T) {
	client := connect(t, endpoint(t), grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	ctx := limited(t)
	value := strings.Repeat("compress me ", 5000)
	must(client.Put(ctx, "gzip", value))(t)
	if got := must(client.Get(ctx, "gzip"))(t); string(got.Kvs[0].Value) != value {
		t.Fatal("the value came back changed")
	}
}

func TestHealthService(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	health := healthpb.NewHealthClient(client.ActiveConnection())
	answer := must(health.Check(ctx, &healthpb.HealthCheckRequest{}))(t)
	if answer.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("status %v", answer.Status)
	}
}

func TestNamespace(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	inner := namespace.NewKV(client.KV, "ns/")
	watcher := namespace.NewWatcher(client.Watcher, "ns/")
	events := watcher.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-events
	must(inner.Put(ctx, "k", "1"))(t)
	if outer := must(client.Get(ctx, "ns/k"))(t); outer.Count != 1 {
		t.Fatal("the prefix is missing")
	}
	if event := <-events; string(event.Events[0].Kv.Key) != "k" {
		t.Fatalf("unexpected event %v", event)
	}
	if all := must(inner.Get(ctx, "", clientv3.WithFromKey()))(t); all.Count != 1 {
		t.Fatalf("the namespace holds %d keys", all.Count)
	}
}

func TestOrdering(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	violated := errors.New("an answer is older than one before")
	ordered := ordering.NewKV(client.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return violated })
	for round := 0; round < 50; round++ {
		must(ordered.Put(ctx, "ordering", fmt.Sprint(round)))(t)
		must(ordered.Get(ctx, "ordering", clientv3.WithSerializable()))(t)
	}
}

func TestMirror(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	for number := 0; number < 30; number++ {
		must(client.Put(ctx, fmt.Sprintf("mirror/%d", number), "x"))(t)
	}
	syncer := mirror.NewSyncer(client, "mirror/", 0)
	base, failures := syncer.SyncBase(ctx)
	seen := 0
	for response := range base {
		seen += len(response.Kvs)
	}
	if err := <-failures; err != nil || seen != 30 {
		t.Fatalf("%d keys, %v", seen, err)
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := syncer.SyncUpdates(watching)
	must(client.Put(ctx, "mirror/new", "y"))(t)
	if update := <-updates; string(update.Events[0].Kv.Key) != "mirror/new" {
		t.Fatalf("unexpected update %v", update)
	}
}

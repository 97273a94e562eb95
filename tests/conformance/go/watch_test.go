package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// next reads until a response with events (or an end) comes.
func next(t *testing.T, events clientv3.WatchChan) clientv3.WatchResponse {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case response, open := <-events:
			if !open {
				t.Fatal("the watch ended")
			}
			if len(response.Events) > 0 || response.Canceled {
				return response
			}
		case <-deadline:
			t.Fatal("no event")
		}
	}
}

func TestWatchHistory(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	first := must(client.Put(ctx, "watch/h", "1"))(t).Header.Revision
	must(client.Put(ctx, "watch/h", "2"))(t)
	must(client.Delete(ctx, "watch/h"))(t)
	events := client.Watch(ctx, "watch/h", clientv3.WithRev(first), clientv3.WithPrevKV())
	var got []*clientv3.Event
	for len(got) < 3 {
		got = append(got, next(t, events).Events...)
	}
	if !got[0].IsCreate() || !got[1].IsModify() || string(got[1].PrevKv.Value) != "1" || got[2].PrevKv == nil {
		t.Fatalf("unexpected events %v", got)
	}
}

func TestWatchFilters(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	puts := client.Watch(ctx, "watch/f", clientv3.WithFilterDelete(), clientv3.WithCreatedNotify())
	deletes := client.Watch(ctx, "watch/f", clientv3.WithFilterPut(), clientv3.WithCreatedNotify())
	<-puts
	<-deletes
	must(client.Put(ctx, "watch/f", "1"))(t)
	must(client.Delete(ctx, "watch/f"))(t)
	if event := next(t, puts).Events[0]; event.Type != clientv3.EventTypePut {
		t.Fatalf("unexpected %v", event)
	}
	if event := next(t, deletes).Events[0]; event.Type != clientv3.EventTypeDelete {
		t.Fatalf("unexpected %v", event)
	}
}

func TestWatchCompacted(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	first := must(client.Put(ctx, "watch/c", "1"))(t).Header.Revision
	second := must(client.Put(ctx, "watch/c", "2"))(t).Header.Revision
	must(client.Compact(ctx, second))(t)
	response := next(t, client.Watch(ctx, "watch/c", clientv3.WithRev(first)))
	if !errors.Is(response.Err(), rpctypes.ErrCompacted) || response.CompactRevision != second {
		t.Fatalf("unexpected %v, %v", response, response.Err())
	}
}

// A client that loses its connection resumes where it was: nothing missing, nothing twice.
func TestWatchResume(t *testing.T) {
	proxy := newCutter(t, endpoint(t))
	writer, watcher, ctx := connect(t, endpoint(t)), connect(t, proxy.address()), limited(t)
	const writes = 400
	events := watcher.Watch(ctx, "watch/resume/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	<-events
	written := make(chan struct{})
	go func() {
		defer close(written)
		for number := 0; number < writes; number++ {
			if _, err := writer.Put(ctx, fmt.Sprintf("watch/resume/%d", number%7), fmt.Sprint(number)); err != nil {
				t.Error(err)
				return
			}
			if number%80 == 40 {
				proxy.cut()
			}
		}
	}()
	for number, revision := 0, int64(0); number < writes; {
		for _, event := range next(t, events).Events {
			if string(event.Kv.Value) != fmt.Sprint(number) || event.Kv.ModRevision <= revision {
				t.Fatalf("event %s at %d, want %d", event.Kv.Value, event.Kv.ModRevision, number)
			}
			number, revision = number+1, event.Kv.ModRevision
		}
	}
	// The last event can be here before the answer to its put.
	<-written
}

func TestRequestProgress(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), clientv3.WithRequireLeader(limited(t))
	events := client.Watch(ctx, "watch/progress", clientv3.WithCreatedNotify())
	<-events
	revision := must(client.Put(ctx, "watch/elsewhere", "1"))(t).Header.Revision
	// The server may pass over a request that comes while a watch is catching up.
	for attempt := 0; attempt < 20; attempt++ {
		if err := client.RequestProgress(ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case response := <-events:
			if !response.IsProgressNotify() || response.Header.Revision < revision {
				t.Fatalf("unexpected %v", response)
			}
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
	t.Fatal("no progress notification")
}

func TestManyWatches(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	const watches = 200
	channels := make([]clientv3.WatchChan, watches)
	for number := range channels {
		channels[number] = client.Watch(ctx, fmt.Sprintf("watch/many/%d", number), clientv3.WithCreatedNotify())
	}
	for _, events := range channels {
		<-events
	}
	must(client.Txn(ctx).Then(clientv3.OpPut("watch/many/0", "x"), clientv3.OpPut("watch/many/199", "x")).Commit())(t)
	for _, number := range []int{0, 199} {
		if got := next(t, channels[number]); string(got.Events[0].Kv.Key) != fmt.Sprintf("watch/many/%d", number) {
			t.Fatalf("unexpected %v", got)
		}
	}
	select {
	case response := <-channels[100]:
		t.Fatalf("unexpected %v", response)
	case <-time.After(200 * time.Millisecond):
	}
}

func TestWatchCancel(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	cancelled, cancel := context.WithCancel(ctx)
	events := client.Watch(cancelled, "watch/cancel", clientv3.WithCreatedNotify())
	other := client.Watch(ctx, "watch/cancel", clientv3.WithCreatedNotify())
	<-events
	<-other
	cancel()
	for range events {
	}
	must(client.Put(ctx, "watch/cancel", "1"))(t)
	next(t, other)
}

func TestWatchFragments(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	big := make([]byte, 700*1024)
	first := int64(0)
	for number := 0; number < 6; number++ {
		revision := must(client.Put(ctx, fmt.Sprintf("watch/big/%d", number), string(big)))(t).Header.Revision
		if first == 0 {
			first = revision
		}
	}
	events := client.Watch(ctx, "watch/big/", clientv3.WithPrefix(), clientv3.WithRev(first), clientv3.WithFragment())
	seen := 0
	for seen < 6 {
		seen += len(next(t, events).Events)
	}
}

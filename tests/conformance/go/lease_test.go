package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestLeaseExpires(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	lease := must(client.Grant(ctx, 2))(t)
	granted := time.Now()
	must(client.Put(ctx, "lease/expires", "1", clientv3.WithLease(lease.ID)))(t)
	event := next(t, client.Watch(ctx, "lease/expires", clientv3.WithRev(must(client.Get(ctx, "x"))(t).Header.Revision+1)))
	if lived := time.Since(granted); lived < 1900*time.Millisecond || event.Events[0].Type != clientv3.EventTypeDelete {
		t.Fatalf("%v after %v", event, lived)
	}
	if left := must(client.TimeToLive(ctx, lease.ID))(t); left.TTL != -1 {
		t.Fatalf("TTL %d", left.TTL)
	}
	if _, err := client.KeepAliveOnce(ctx, lease.ID); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		t.Fatalf("unexpected %v", err)
	}
}

func TestKeepAliveHolds(t *testing.T) {
	proxy := newCutter(t, endpoint(t))
	client, ctx := connect(t, proxy.address()), limited(t)
	lease := must(client.Grant(ctx, 3))(t)
	must(client.Put(ctx, "lease/held", "1", clientv3.WithLease(lease.ID)))(t)
	keeping, stop := context.WithCancel(ctx)
	beats := must(client.KeepAlive(keeping, lease.ID))(t)
	end := time.After(6 * time.Second)
	for count := 0; ; {
		select {
		case beat, open := <-beats:
			if !open || beat.TTL != 3 {
				t.Fatalf("beat %v", beat)
			}
			if count++; count == 2 {
				proxy.cut()
			}
			continue
		case <-end:
		}
		break
	}
	stop()
	if got := must(client.Get(ctx, "lease/held"))(t); got.Count != 1 {
		t.Fatal("the lease expired although it was kept alive")
	}
	must(client.Revoke(ctx, lease.ID))(t)
	if got := must(client.Get(ctx, "lease/held"))(t); got.Count != 0 {
		t.Fatal("the key outlived its lease")
	}
}

func TestLeaseListing(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	lease := must(client.Grant(ctx, 100))(t)
	must(client.Put(ctx, "lease/listed", "1", clientv3.WithLease(lease.ID)))(t)
	left := must(client.TimeToLive(ctx, lease.ID, clientv3.WithAttachedKeys()))(t)
	if left.GrantedTTL != 100 || left.TTL < 95 || len(left.Keys) != 1 || string(left.Keys[0]) != "lease/listed" {
		t.Fatalf("unexpected %v", left)
	}
	found := false
	for _, one := range must(client.Leases(ctx))(t).Leases {
		found = found || one.ID == lease.ID
	}
	if !found {
		t.Fatal("the lease is not listed")
	}
}

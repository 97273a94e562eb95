package conformance

import (
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestStatus(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	must(client.Put(ctx, "status", "1"))(t)
	status := must(client.Status(ctx, endpoint(t)))(t)
	if status.Version == "" || status.DbSize <= 0 || status.Leader == 0 || status.RaftTerm == 0 || status.RaftIndex == 0 ||
		status.Leader != status.Header.MemberId || status.IsLearner || len(status.Errors) != 0 {
		t.Fatalf("unexpected %v", status)
	}
	again := must(client.Status(ctx, endpoint(t)))(t)
	if again.Header.ClusterId != status.Header.ClusterId || again.Header.MemberId != status.Header.MemberId {
		t.Fatal("the identity changes")
	}
}

func TestHashKVOverCompaction(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	var revision int64
	for number := 0; number < 20; number++ {
		revision = must(client.Put(ctx, fmt.Sprint("hash/", number%4), fmt.Sprint(number)))(t).Header.Revision
	}
	before := must(client.HashKV(ctx, endpoint(t), revision))(t)
	must(client.Compact(ctx, revision, clientv3.WithCompactPhysical()))(t)
	after := must(client.HashKV(ctx, endpoint(t), revision))(t)
	if before.Hash == 0 || before.Hash != after.Hash {
		t.Fatalf("%v before, %v after the compaction", before, after)
	}
	must(client.Put(ctx, "hash/0", "later"))(t)
	later := must(client.HashKV(ctx, endpoint(t), 0))(t)
	if later.Hash == after.Hash || later.HashRevision != revision+1 {
		t.Fatalf("unexpected %v", later)
	}
}

func TestMembersAndSync(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	members := must(client.MemberList(ctx))(t)
	if len(members.Members) != 1 || members.Members[0].ID != members.Header.MemberId {
		t.Fatalf("unexpected %v", members)
	}
	if err := client.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	must(client.Put(ctx, "after/sync", "1"))(t)
}

func TestAlarmList(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	if alarms := must(client.AlarmList(ctx))(t); len(alarms.Alarms) != 0 {
		t.Fatalf("unexpected %v", alarms)
	}
}

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/leasing"
)

func session(t *testing.T, client *clientv3.Client) *concurrency.Session {
	t.Helper()
	opened := must(concurrency.NewSession(client, concurrency.WithTTL(10)))(t)
	t.Cleanup(func() { opened.Close() })
	return opened
}

func TestMutex(t *testing.T) {
	ctx := limited(t)
	const contenders, rounds = 5, 8
	counter, inside := 0, 0
	var group sync.WaitGroup
	for number := 0; number < contenders; number++ {
		mutex := concurrency.NewMutex(session(t, connect(t, endpoint(t))), "mutex/")
		group.Add(1)
		go func() {
			defer group.Done()
			for round := 0; round < rounds; round++ {
				if err := mutex.Lock(ctx); err != nil {
					t.Error(err)
					return
				}
				inside++
				if inside != 1 {
					t.Error("two owners")
				}
				counter++
				inside--
				if err := mutex.Unlock(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	group.Wait()
	if counter != contenders*rounds {
		t.Fatalf("%d rounds", counter)
	}
}

func TestTryLock(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	first := concurrency.NewMutex(session(t, client), "trylock/")
	second := concurrency.NewMutex(session(t, client), "trylock/")
	if err := first.TryLock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(ctx); !errors.Is(err, concurrency.ErrLocked) {
		t.Fatalf("unexpected %v", err)
	}
	if err := first.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestElection(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	first := concurrency.NewElection(session(t, client), "election/")
	secondSession := session(t, connect(t, endpoint(t)))
	second := concurrency.NewElection(secondSession, "election/")
	if err := first.Campaign(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	observing, stop := context.WithCancel(ctx)
	defer stop()
	observed := second.Observe(observing)
	if leader := <-observed; string(leader.Kvs[0].Value) != "one" {
		t.Fatalf("unexpected leader %v", leader)
	}
	if err := first.Proclaim(ctx, "uno"); err != nil {
		t.Fatal(err)
	}
	if leader := <-observed; string(leader.Kvs[0].Value) != "uno" {
		t.Fatalf("unexpected leader %v", leader)
	}
	elected := make(chan error, 1)
	go func() { elected <- second.Campaign(ctx, "two") }()
	select {
	case err := <-elected:
		t.Fatalf("two leaders: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := first.Resign(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-elected; err != nil {
		t.Fatal(err)
	}
	if leader := must(first.Leader(ctx))(t); string(leader.Kvs[0].Value) != "two" {
		t.Fatalf("unexpected leader %v", leader)
	}
}

func TestSTM(t *testing.T) {
	client, ctx := connect(t, endpoint(t)), limited(t)
	const accounts, each = 6, 100
	for isolation, name := range map[concurrency.Isolation]string{
		concurrency.SerializableSnapshot: "snapshot", concurrency.Serializable: "serializable"} {
		prefix := "stm/" + name + "/"
		for number := 0; number < accounts; number++ {
			must(client.Put(ctx, fmt.Sprint(prefix, number), strconv.Itoa(each)))(t)
		}
		transfer := func(stm concurrency.STM) error {
			from, to := fmt.Sprint(prefix, rand.Intn(accounts)), fmt.Sprint(prefix, rand.Intn(accounts))
			if from == to {
				return nil
			}
			have, _ := strconv.Atoi(stm.Get(from))
			other, _ := strconv.Atoi(stm.Get(to))
			stm.Put(from, strconv.Itoa(have-1))
			stm.Put(to, strconv.Itoa(other+1))
			return nil
		}
		var group sync.WaitGroup
		for worker := 0; worker < 6; worker++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for round := 0; round < 20; round++ {
					if _, err := concurrency.NewSTM(client, transfer, concurrency.WithIsolation(isolation),
						concurrency.WithAbortContext(ctx)); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		group.Wait()
		sum := 0
		for _, pair := range must(client.Get(ctx, prefix, clientv3.WithPrefix()))(t).Kvs {
			value, _ := strconv.Atoi(string(pair.Value))
			sum += value
		}
		if sum != accounts*each {
			t.Errorf("%s: the sum is %d, not %d", name, sum, accounts*each)
		}
	}
}

func TestLeasing(t *testing.T) {
	ctx := limited(t)
	one, two := connect(t, endpoint(t)), connect(t, endpoint(t))
	first, closeFirst, err := leasing.NewKV(one, "leasing/")
	if err != nil {
		t.Fatal(err)
	}
	defer closeFirst()
	second, closeSecond, err := leasing.NewKV(two, "leasing/")
	if err != nil {
		t.Fatal(err)
	}
	defer closeSecond()
	must(first.Put(ctx, "cached", "1"))(t)
	must(first.Get(ctx, "cached"))(t)
	must(second.Put(ctx, "cached", "2"))(t)
	if got := must(first.Get(ctx, "cached"))(t); string(got.Kvs[0].Value) != "2" {
		t.Fatalf("a stale value: %v", got)
	}
}

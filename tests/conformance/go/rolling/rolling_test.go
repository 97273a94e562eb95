// Package rolling keeps clients busy while the nodes that serve them are restarted one after the other. Run by
// tests/drain/rolling.py: ENDPOINTS names the nodes, READY_FILE is made once every client is at work, STOP_FILE ends it.
package rolling

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	clients     = 6
	operation   = 10 * time.Second // a request that takes longer has failed
	running     = 150 * time.Second
	catchUp     = 10 * time.Second
	pause       = 2 * time.Millisecond
	leaseTTL    = 10
	failuresMax = 20 // that are told
)

// load is what all clients share.
type load struct {
	t         *testing.T
	endpoints []string
	stop      chan struct{}
	requests  atomic.Int64
	events    atomic.Int64
	failures  atomic.Int64
	slowest   atomic.Int64
	atWork    sync.WaitGroup
}

func (l *load) fail(format string, arguments ...any) {
	if l.failures.Add(1) <= failuresMax {
		l.t.Errorf(time.Now().Format("15:04:05.000 ")+format, arguments...)
	}
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// timed runs one request and notes how it went.
func (l *load) timed(what string, request func(ctx context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), operation)
	defer cancel()
	began := time.Now()
	err := request(ctx)
	took := int64(time.Since(began))
	for slowest := l.slowest.Load(); took > slowest && !l.slowest.CompareAndSwap(slowest, took); {
		slowest = l.slowest.Load()
	}
	l.requests.Add(1)
	if err != nil {
		l.fail("%s after %v: %v", what, time.Since(began).Round(time.Millisecond), err)
	}
	return err == nil
}

func TestRollingRestart(t *testing.T) {
	endpoints := os.Getenv("ENDPOINTS")
	if endpoints == "" {
		t.Skip("ENDPOINTS is not set: run this through tests/drain/rolling.py")
	}
	l := &load{t: t, endpoints: strings.Split(endpoints, ","), stop: make(chan struct{})}
	var done sync.WaitGroup
	l.atWork.Add(clients)
	for number := range clients {
		done.Add(1)
		go func() {
			defer done.Done()
			l.client(number)
		}()
	}
	l.atWork.Wait()
	if err := os.WriteFile(os.Getenv("READY_FILE"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(running); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(os.Getenv("STOP_FILE")); err == nil {
			break
		}
	}
	close(l.stop)
	done.Wait()
	fmt.Printf("%d requests, %d failed, slowest %v, %d events\n", l.requests.Load(), l.failures.Load(),
		time.Duration(l.slowest.Load()).Round(time.Millisecond), l.events.Load())
}

// client writes and reads a key of its own, watches it, and keeps a lease.
func (l *load) client(number int) {
	// Each starts with another node.
	turned := append(append([]string{}, l.endpoints[number%len(l.endpoints):]...), l.endpoints[:number%len(l.endpoints)]...)
	client, err := clientv3.New(clientv3.Config{Endpoints: turned, DialTimeout: operation, Logger: zap.NewNop()})
	if err != nil {
		l.fail("connect: %v", err)
		l.atWork.Done()
		return
	}
	defer client.Close()
	key := fmt.Sprintf("rolling/%d", number)
	watching, endWatch := context.WithCancel(context.Background())
	defer endWatch()
	last := make(chan int, 1)
	seen := make(chan struct{})
	events := client.Watch(watching, key, clientv3.WithCreatedNotify())
	<-events
	go func() {
		defer close(seen)
		l.watch(key, events, last)
	}()
	lost := l.keepLease(client, watching)
	last <- l.write(client, key)
	select {
	case <-seen:
	case <-time.After(catchUp):
		l.fail("%s: the watch has not seen the last write", key)
	}
	if lost() {
		l.fail("client %d lost its lease", number)
	}
}

// write counts up in the key until the end; answers the last number.
func (l *load) write(client *clientv3.Client, key string) int {
	revision := int64(0)
	count := 0
	for ; !l.stopped(); time.Sleep(pause) {
		value := strconv.Itoa(count + 1)
		put := l.timed("put "+key, func(ctx context.Context) error {
			response, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", revision)).
				Then(clientv3.OpPut(key, value)).Commit()
			if err == nil && !response.Succeeded {
				err = fmt.Errorf("the key has changed although nobody else writes it")
			}
			if err == nil {
				revision = response.Header.Revision
			}
			return err
		})
		if !put {
			break // the outcome is unknown: nothing that follows can be judged
		}
		count++
		l.timed("get "+key, func(ctx context.Context) error {
			response, err := client.Get(ctx, key)
			if err == nil && (len(response.Kvs) != 1 || string(response.Kvs[0].Value) != value) {
				err = fmt.Errorf("%v where %s was written", response.Kvs, value)
			}
			return err
		})
		l.timed("plain put", func(ctx context.Context) error {
			_, err := client.Put(ctx, "plain/"+key, value)
			return err
		})
		if count == 1 {
			l.atWork.Done()
		}
	}
	if count == 0 {
		l.atWork.Done()
	}
	return count
}

// watch wants every number of the key, in order, up to the last.
func (l *load) watch(key string, events clientv3.WatchChan, last <-chan int) {
	seen, end := 0, -1
	for seen != end {
		select {
		case end = <-last:
		case response, open := <-events:
			if !open || response.Err() != nil {
				l.fail("the watch of %s ended: %v", key, response.Err())
				return
			}
			for _, event := range response.Events {
				seen++
				l.events.Add(1)
				if string(event.Kv.Value) != strconv.Itoa(seen) {
					l.fail("%s: event %s where %d was due", key, event.Kv.Value, seen)
				}
			}
		}
	}
}

// keepLease answers a function that tells whether the lease is gone.
func (l *load) keepLease(client *clientv3.Client, ctx context.Context) func() bool {
	var id clientv3.LeaseID
	l.timed("grant", func(ctx context.Context) error {
		granted, err := client.Grant(ctx, leaseTTL)
		if err == nil {
			id = granted.ID
		}
		return err
	})
	answers, err := client.KeepAlive(ctx, id)
	if err != nil {
		l.fail("keep alive: %v", err)
		return func() bool { return false }
	}
	var ended atomic.Bool
	go func() {
		for range answers {
		}
		ended.Store(true)
	}()
	return ended.Load
}

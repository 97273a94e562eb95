// Package conformance drives a server with etcd's own Go client; ENDPOINT names the server (host:port).
package conformance

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
)

const patience = 20 * time.Second

func endpoint(t *testing.T) string {
	t.Helper()
	found := os.Getenv("ENDPOINT")
	if found == "" {
		t.Fatal("ENDPOINT is not set: run this through tests/conformance/run_go.py")
	}
	return found
}

// connect returns a client of the server, or of the given proxy before it.
func connect(t *testing.T, address string, options ...grpc.DialOption) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{address},
		DialTimeout: patience,
		DialOptions: options,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// cutter is a TCP proxy whose connections can be cut.
type cutter struct {
	listener net.Listener
	target   string
	mutex    sync.Mutex
	open     map[net.Conn]bool
	refusing bool
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &cutter{listener: listener, target: target, open: map[net.Conn]bool{}}
	go proxy.accept()
	t.Cleanup(func() { listener.Close(); proxy.cut() })
	return proxy
}

func (c *cutter) address() string { return c.listener.Addr().String() }

func (c *cutter) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mutex.Lock()
		refusing := c.refusing
		c.mutex.Unlock()
		far, err := net.Dial("tcp", c.target)
		if err != nil || refusing {
			near.Close()
			continue
		}
		c.mutex.Lock()
		c.open[near], c.open[far] = true, true
		c.mutex.Unlock()
		go c.copy(near, far)
		go c.copy(far, near)
	}
}

func (c *cutter) copy(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

func (c *cutter) cut() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for connection := range c.open {
		connection.Close()
		delete(c.open, connection)
	}
}

func (c *cutter) refuse(refusing bool) {
	c.mutex.Lock()
	c.refusing = refusing
	c.mutex.Unlock()
}

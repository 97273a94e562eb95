// Package netfault is a TCP proxy on loopback that breaks connections on demand.
package netfault

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy forwards connections to a target that may change. All methods may be called from any goroutine.
type Proxy struct {
	Name     string
	listener net.Listener
	mutex    sync.Mutex
	target   string
	links    map[*link]bool
	held     chan struct{} // closed when bytes may pass; nil when they may now
	refusing bool
	delay    atomic.Int64 // nanoseconds for each piece, both ways
	rate     atomic.Int64 // bytes per second, 0: any
	replies  func() Filter
	faults   atomic.Int64
}

// Filter sees what the target sends on one connection, piece by piece, and returns what is passed on.
type Filter interface {
	Pass(piece []byte) []byte
	// Later is what the filter has kept back and releases now; asked from time to time.
	Later() []byte
}

const pieceBytes = 32 << 10

// New listens on a free port.
func New(name, target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Name: name, listener: listener, target: target, links: map[*link]bool{}}
	go p.accept()
	return p, nil
}

// Address is where it listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Retarget sends new connections elsewhere, and cuts those that go to the old target.
func (p *Proxy) Retarget(target string) {
	p.mutex.Lock()
	changed := p.target != target
	p.target = target
	p.mutex.Unlock()
	if changed {
		p.each(func(l *link) { l.reset() })
	}
}

// Filtering lets a filter see the replies of connections that are made from now on; nil: none.
func (p *Proxy) Filtering(make func() Filter) {
	p.mutex.Lock()
	p.replies = make
	p.mutex.Unlock()
	p.each(func(l *link) { l.reset() })
}

func (p *Proxy) each(do func(*link)) {
	p.mutex.Lock()
	var links []*link
	for l := range p.links {
		links = append(links, l)
	}
	p.mutex.Unlock()
	for _, l := range links {
		do(l)
	}
}

// Cut resets all connections.
func (p *Proxy) Cut() {
	p.faults.Add(1)
	p.each(func(l *link) { l.reset() })
}

// CutSome resets one connection in n.
func (p *Proxy) CutSome(choose func() bool) {
	p.faults.Add(1)
	p.each(func(l *link) {
		if choose() {
			l.reset()
		}
	})
}

// HalfClose ends one direction of all connections: what the target would still say is heard no more.
func (p *Proxy) HalfClose() {
	p.faults.Add(1)
	p.each(func(l *link) { l.halfClose() })
}

// CutAfter resets each connection once its target has said n more bytes.
func (p *Proxy) CutAfter(n int64) {
	p.faults.Add(1)
	p.each(func(l *link) { l.budget.Store(n) })
}

// Blackhole keeps connections open, accepts new ones, and delivers nothing until it ends.
func (p *Proxy) Blackhole(on bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if on && p.held == nil {
		p.faults.Add(1)
		p.held = make(chan struct{})
	}
	if !on && p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// Refuse resets new connections.
func (p *Proxy) Refuse(on bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if on {
		p.faults.Add(1)
	}
	p.refusing = on
}

// Delay holds each piece for so long.
func (p *Proxy) Delay(d time.Duration) {
	if d > 0 {
		p.faults.Add(1)
	}
	p.delay.Store(int64(d))
}

// Throttle lets so many bytes through in a second.
func (p *Proxy) Throttle(bytesPerSecond int64) {
	if bytesPerSecond > 0 {
		p.faults.Add(1)
	}
	p.rate.Store(bytesPerSecond)
}

// Heal ends what lasts.
func (p *Proxy) Heal() {
	p.Blackhole(false)
	p.Refuse(false)
	p.delay.Store(0)
	p.rate.Store(0)
	p.each(func(l *link) { l.budget.Store(unlimited) })
}

// Close ends it with its connections.
func (p *Proxy) Close() {
	p.listener.Close()
	p.Heal()
	p.each(func(l *link) { l.reset() })
}

// wait returns once bytes may pass.
func (p *Proxy) wait(gone <-chan struct{}) {
	for {
		p.mutex.Lock()
		held := p.held
		p.mutex.Unlock()
		if held == nil {
			return
		}
		select {
		case <-held:
		case <-gone:
			return
		}
	}
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(near.(*net.TCPConn))
	}
}

func (p *Proxy) serve(near *net.TCPConn) {
	l := &link{proxy: p, near: near, gone: make(chan struct{})}
	l.budget.Store(unlimited)
	p.mutex.Lock()
	refusing, replies := p.refusing, p.replies
	p.links[l] = true
	p.mutex.Unlock()
	defer func() {
		p.mutex.Lock()
		delete(p.links, l)
		p.mutex.Unlock()
	}()
	if refusing {
		l.reset()
		return
	}
	p.wait(l.gone)
	p.mutex.Lock()
	target := p.target
	p.mutex.Unlock()
	far, err := net.DialTimeout("tcp", target, 2*time.Second)
	if err != nil {
		l.reset()
		return
	}
	if !l.connected(far.(*net.TCPConn)) {
		return
	}
	if replies != nil {
		l.filter = replies()
	}
	l.run()
}

// Ports are those of its own with which it is connected to the target now.
func (p *Proxy) Ports() []int {
	var ports []int
	p.each(func(l *link) {
		if port := l.farPort(); port != 0 {
			ports = append(ports, port)
		}
	})
	return ports
}

// TakeFaults returns how many faults there were since the last time.
func (p *Proxy) TakeFaults() int64 { return p.faults.Swap(0) }

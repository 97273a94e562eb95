package netfault

import (
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	unlimited   = math.MaxInt64
	filterPause = 5 * time.Millisecond
)

// link is one connection through the proxy: near is who connected, far the target.
type link struct {
	proxy  *Proxy
	near   *net.TCPConn
	far    *net.TCPConn
	filter Filter
	budget atomic.Int64 // bytes that the target may still say
	mutex  sync.Mutex
	closed bool
	gone   chan struct{}
}

func (l *link) connected(far *net.TCPConn) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed {
		far.Close()
		return false
	}
	l.far = far
	return true
}

// farPort is this side's port of the connection to the target, or 0.
func (l *link) farPort() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed || l.far == nil {
		return 0
	}
	return l.far.LocalAddr().(*net.TCPAddr).Port
}

func (l *link) run() {
	done := make(chan struct{})
	go func() {
		l.copy(l.far, l.near, nil)
		l.far.CloseWrite()
		close(done)
	}()
	if l.filter != nil {
		l.copyFiltered()
	} else {
		l.copy(l.near, l.far, &l.budget)
	}
	l.near.CloseWrite()
	<-done
	l.close(false)
}

// copy passes bytes on until either side ends.
func (l *link) copy(to, from *net.TCPConn, budget *atomic.Int64) {
	piece := make([]byte, pieceBytes)
	for {
		n, err := from.Read(piece)
		if n > 0 && !l.pass(to, piece[:n], budget) {
			return
		}
		if err != nil {
			return
		}
	}
}

func (l *link) pass(to *net.TCPConn, piece []byte, budget *atomic.Int64) bool {
	if delay := l.proxy.delay.Load(); delay > 0 {
		l.sleep(time.Duration(delay))
	}
	l.proxy.wait(l.gone)
	if rate := l.proxy.rate.Load(); rate > 0 {
		l.sleep(time.Duration(int64(len(piece)) * int64(time.Second) / rate))
	}
	if budget != nil {
		if left := budget.Load(); left != unlimited {
			if left <= int64(len(piece)) {
				to.Write(piece[:left])
				l.reset()
				return false
			}
			budget.Add(-int64(len(piece)))
		}
	}
	_, err := to.Write(piece)
	return err == nil
}

// copyFiltered is copy for replies that a filter sees; it also lets out what the filter has kept back.
func (l *link) copyFiltered() {
	piece := make([]byte, pieceBytes)
	for {
		l.far.SetReadDeadline(time.Now().Add(filterPause))
		n, err := l.far.Read(piece)
		out := l.filter.Later()
		if n > 0 {
			out = append(out, l.filter.Pass(piece[:n])...)
		}
		if len(out) > 0 && !l.pass(l.near, out, &l.budget) {
			return
		}
		if timeout, is := err.(net.Error); err != nil && !(is && timeout.Timeout()) {
			return
		}
	}
}

func (l *link) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-l.gone:
	}
}

func (l *link) halfClose() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.closed && l.far != nil {
		l.far.CloseRead()
		l.near.CloseWrite()
	}
}

// reset closes both sides with RST.
func (l *link) reset() { l.close(true) }

func (l *link) close(rudely bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.gone)
	for _, conn := range []*net.TCPConn{l.near, l.far} {
		if conn == nil {
			continue
		}
		if rudely {
			conn.SetLinger(0)
		}
		conn.Close()
	}
}

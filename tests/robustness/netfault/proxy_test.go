package netfault

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	return listener.Addr().String()
}

func through(t *testing.T) (*Proxy, net.Conn) {
	t.Helper()
	proxy, err := New("test", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	conn, err := net.Dial("tcp", proxy.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	return proxy, conn
}

func say(t *testing.T, conn net.Conn, text string) (string, error) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		return "", err
	}
	answer := make([]byte, len(text))
	n, err := io.ReadFull(conn, answer)
	return string(answer[:n]), err
}

func TestPassesBothWays(t *testing.T) {
	_, conn := through(t)
	if answer, err := say(t, conn, "hello"); answer != "hello" || err != nil {
		t.Fatal(answer, err)
	}
}

func TestCutsInsideAReply(t *testing.T) {
	proxy, conn := through(t)
	say(t, conn, "hello")
	proxy.CutAfter(3)
	answer, err := say(t, conn, "world")
	if err == nil || len(answer) > 3 {
		t.Fatalf("%q %v", answer, err)
	}
}

func TestBlackholeDeliversWhenItEnds(t *testing.T) {
	proxy, conn := through(t)
	say(t, conn, "hello")
	proxy.Blackhole(true)
	time.AfterFunc(200*time.Millisecond, func() { proxy.Blackhole(false) })
	began := time.Now()
	if answer, err := say(t, conn, "world"); answer != "world" || err != nil {
		t.Fatal(answer, err)
	}
	if time.Since(began) < 150*time.Millisecond {
		t.Fatal("delivered at once")
	}
}

func TestHalfCloseEndsReplies(t *testing.T) {
	proxy, conn := through(t)
	say(t, conn, "hello")
	proxy.HalfClose()
	if _, err := say(t, conn, "world"); err == nil {
		t.Fatal("still answered")
	}
}

func TestDropsOnlyPushedMessages(t *testing.T) {
	filter := (&Lossy{Drop: 1}).NewFilter(1)
	push := "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\na\r\nbc\r\n"
	in := "+OK\r\n" + push + "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n" + push + "$2\r\nhi\r\n"
	var out []byte
	for i := range in {
		out = append(out, filter.Pass([]byte{in[i]})...)
	}
	if want := "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n$2\r\nhi\r\n"; string(out) != want {
		t.Fatalf("%q", out)
	}
}

func TestDuplicatesAndDelays(t *testing.T) {
	push := "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
	if out := (&Lossy{Duplicate: 1}).NewFilter(1).Pass([]byte(push)); string(out) != push+push {
		t.Fatalf("%q", out)
	}
	filter := (&Lossy{Reorder: 1}).NewFilter(1)
	if out := filter.Pass([]byte(push)); len(out) != 0 {
		t.Fatalf("%q", out)
	}
	time.Sleep(2 * time.Millisecond)
	if out := filter.Later(); string(out) != push {
		t.Fatalf("%q", out)
	}
}

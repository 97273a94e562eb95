package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"lattice/tests/robustness/netfault"
)

// Node is one Lattice process with the proxies around it.
type Node struct {
	Number  int
	Life    atomic.Int64 // how often it was started
	Client  *netfault.Proxy
	Store   *netfault.Proxy // to PostgreSQL
	Fanout  *netfault.Proxy // to Redis
	Peer    *netfault.Proxy // from other nodes
	Control *netfault.Proxy // to the control plane
	port    int
	peer    int
	metrics int
	folder  string
	logged  int64 // size of the log when it was launched
	process *Process
	command []string
	env     []string
}

// NodeOptions say how a node is started.
type NodeOptions struct {
	Binary      string
	Env         []string
	Database    string
	Synchronous bool
	Features    Features
	Clock       string // the library that shifts its wall clock, or empty
	Governed    bool   // by a control plane
}

func newNode(number int, folder string) (*Node, error) {
	n := &Node{Number: number, folder: filepath.Join(folder, fmt.Sprintf("node%d", number))}
	if err := os.MkdirAll(n.folder, 0o755); err != nil {
		return nil, err
	}
	for _, side := range []struct {
		name  string
		proxy **netfault.Proxy
	}{{"client", &n.Client}, {"store", &n.Store}, {"fanout", &n.Fanout}, {"peer", &n.Peer}, {"control", &n.Control}} {
		proxy, err := netfault.New(fmt.Sprintf("%s%d", side.name, number), "")
		if err != nil {
			return nil, err
		}
		*side.proxy = proxy
	}
	return n, nil
}

// Configure sets what the next Start uses. The ports are others each time: one that somebody has taken costs one scenario.
func (n *Node) Configure(o NodeOptions) {
	n.port, n.peer, n.metrics = FreePort(), FreePort(), FreePort()
	n.Client.Retarget(loopback(n.port))
	n.Peer.Retarget(loopback(n.peer))
	n.command = []string{o.Binary, "start", "--grpc-bind", loopback(n.port), "--metrics-bind", loopback(n.metrics),
		"--data-dir", n.data(), "--db-connection", postgresURL(n.Store.Address(), o.Database)}
	n.env = append([]string{"LATTICE_CLUSTER_NAME=" + fmt.Sprintf("n%d", n.Number), "LATTICE_SERVER_THREADS=1",
		"LATTICE_SERVER_WATCH_PROGRESS_INTERVAL_MS=700",
		"LATTICE_CLUSTER_ADVERTISE_CLIENT_URLS=http://" + n.Client.Address()}, o.Env...)
	if o.Clock != "" {
		n.env = append(n.env, "LD_PRELOAD="+o.Clock, "WALL_CLOCK_SHIFT="+n.clock())
	}
	if o.Synchronous {
		n.env = append(n.env, "LATTICE_DURABILITY_MODE=quorum", "LATTICE_DURABILITY_QUORUM_SIZE=2")
	}
	if o.Governed {
		n.env = append(n.env, "LATTICE_CONTROL_PLANE_MODE=clustor", "LATTICE_CONTROL_PLANE_CACHE_TTL_SECONDS=1",
			"LATTICE_CONTROL_PLANE_CACHE_GRACE_MS=300", "LATTICE_CONTROL_PLANE_ENDPOINTS=http://"+n.Control.Address())
	}
	for key, setting := range map[string]string{
		"fanout.url":        "LATTICE_FANOUT_URL=redis://" + n.Fanout.Address(),
		"cluster.bind":      "LATTICE_CLUSTER_BIND=" + loopback(n.peer),
		"cluster.advertise": "LATTICE_CLUSTER_ADVERTISE=" + n.Peer.Address(),
	} {
		if o.Features[key] {
			n.env = append(n.env, setting)
		}
	}
}

// Launch starts it; AwaitListening says when it can be reached.
func (n *Node) Launch() error {
	n.logged = 0
	if log, err := os.Stat(n.log()); err == nil {
		n.logged = log.Size()
	}
	process, err := Start(Spec{Name: fmt.Sprintf("lattice%d", n.Number), Command: n.command, Env: n.env, Log: n.log()})
	if err != nil {
		return err
	}
	n.process = process
	n.Life.Add(1)
	return nil
}

func (n *Node) log() string { return filepath.Join(n.folder, "lattice.log") }

// AwaitListening waits until it says that it listens.
func (n *Node) AwaitListening() error {
	for deadline := time.Now().Add(startPatience); n.Alive() && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, _ := os.ReadFile(n.log()); int64(len(text)) > n.logged && strings.Contains(string(text[n.logged:]), " listening ") {
			return nil
		}
	}
	return fmt.Errorf("node %d does not listen; its log ends with:\n%s", n.Number, n.logEnd())
}

func (n *Node) logEnd() string {
	const shown = 1500
	text, err := os.ReadFile(n.log())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-shown):])
}

// Start is both.
func (n *Node) Start() error {
	if err := n.Launch(); err != nil {
		return err
	}
	return n.AwaitListening()
}

// Alive says that it runs.
func (n *Node) Alive() bool { return n.process != nil && n.process.Alive() }

// Kill is kill -9.
func (n *Node) Kill() {
	if n.process != nil {
		n.process.Signal(syscall.SIGCONT)
		n.process.Kill()
	}
}

// Terminate asks it to end and waits. A process that has not said anything may be so young that the signal ends it.
func (n *Node) Terminate() error {
	err := n.process.Stop(syscall.SIGTERM, 40*time.Second)
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signal() == syscall.SIGTERM && !n.spoken() {
		return nil
	}
	return err
}

// Whether the process has written to its log.
func (n *Node) spoken() bool {
	log, err := os.Stat(n.log())
	return err == nil && log.Size() > n.logged
}

// Forget removes what it keeps on disk.
func (n *Node) Forget() error { return os.RemoveAll(n.data()) }

func (n *Node) data() string { return filepath.Join(n.folder, "data") }

// Pause stops it for a while.
func (n *Node) Pause(d time.Duration) {
	n.process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	n.process.Signal(syscall.SIGCONT)
}

// PauseUntil stops it until the channel is closed.
func (n *Node) PauseUntil(done <-chan bool) {
	n.process.Signal(syscall.SIGSTOP)
	<-done
	n.process.Signal(syscall.SIGCONT)
}

// Metric is the sum of a metric's samples; 0 when the node does not answer.
func (n *Node) Metric(name string) float64 {
	client := http.Client{Timeout: 500 * time.Millisecond}
	response, err := client.Get("http://" + loopback(n.metrics) + "/metrics")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	sum := 0.0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		line := lines.Text()
		if rest, is := strings.CutPrefix(line, name); is && rest != "" && (rest[0] == ' ' || rest[0] == '{') {
			value, _ := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
			sum += value
		}
	}
	return sum
}

// Proxies of the node.
func (n *Node) Proxies() []*netfault.Proxy {
	return []*netfault.Proxy{n.Client, n.Store, n.Fanout, n.Peer, n.Control}
}

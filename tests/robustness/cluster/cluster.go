package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"lattice/tests/robustness/netfault"
)

// Nodes is how many Lattice processes a cluster has.
const Nodes = 3

// Cluster is everything that runs on loopback for the scenarios, one after the other.
type Cluster struct {
	Pair     *Pair
	Redis    *Redis
	Control  *ControlPlane
	Nodes    []*Node
	Features Features
	Folder   string
	database string
	made     int
	mutex    sync.Mutex
}

// Where the folders go unless somebody says otherwise: in memory, if there is room. Processes are killed, machines are not,
// so that nothing depends on a disk; and on a busy one each recovery of PostgreSQL would take seconds.
const (
	memoryFolder = "/dev/shm"
	roomWanted   = 3 << 30
)

func defaultFolder() string {
	var volume syscall.Statfs_t
	if err := syscall.Statfs(memoryFolder, &volume); err == nil && int64(volume.Bavail)*volume.Bsize > roomWanted {
		return memoryFolder
	}
	return os.TempDir()
}

// New makes the folders (in `where`, or where it is best), PostgreSQL's copies and Redis; nodes start with Fresh.
func New(binary, where string) (*Cluster, error) {
	if where == "" {
		where = defaultFolder()
	}
	features, err := ReadFeatures(binary)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(where, "lattice-robustness-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		return nil, err
	}
	c := &Cluster{Features: features, Folder: folder, Redis: NewRedis(folder), Control: NewControlPlane(folder)}
	if c.Pair, err = NewPair(folder); err != nil {
		return nil, err
	}
	if err := c.Redis.Start(); err != nil {
		return nil, err
	}
	for number := range Nodes {
		node, err := newNode(number, folder)
		if err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, node)
	}
	return c, nil
}

// Setup is what a scenario needs.
type Setup struct {
	Binary      string
	Env         []string
	Synchronous bool
	SmallVolume bool // the database is on a volume that can be filled
	OwnClocks   bool // ShiftClock works
	Governed    bool // by the control plane
}

// Fresh ends the nodes and starts them on an empty database.
func (c *Cluster) Fresh(s Setup) error {
	c.EndNodes()
	if err := c.Pair.Reset(s.Synchronous); err != nil {
		return err
	}
	where := ""
	if s.SmallVolume {
		if err := c.Pair.SmallVolume(); err != nil {
			return err
		}
		where = " TABLESPACE small"
	}
	if !c.Redis.process.Alive() {
		if err := c.Redis.Start(); err != nil {
			return err
		}
	}
	if c.database != "" {
		c.Pair.Primary.Query("DROP DATABASE IF EXISTS " + c.database + " WITH (FORCE)")
	}
	c.made++
	c.mutex.Lock()
	c.database = fmt.Sprintf("scenario%d", c.made)
	c.mutex.Unlock()
	if _, err := c.Pair.Primary.Query("CREATE DATABASE " + c.database + where); err != nil {
		return err
	}
	c.Redirect()
	c.Control.Kill()
	if s.Governed {
		if err := c.Control.Fresh(); err != nil {
			return err
		}
	}
	clock := ""
	if s.OwnClocks {
		var err error
		if clock, err = c.wallClock(); err != nil {
			return err
		}
	}
	for _, node := range c.Nodes {
		for _, proxy := range node.Proxies() {
			proxy.Heal()
		}
		node.Fanout.Retarget(c.Redis.Address())
		node.Fanout.Filtering(nil)
		node.Control.Retarget(c.Control.Address())
		node.Configure(NodeOptions{Binary: s.Binary, Env: s.Env, Database: c.database, Synchronous: s.Synchronous,
			Features: c.Features, Clock: clock, Governed: s.Governed})
		// What an earlier scenario's control plane has said would be news of the future to the new one.
		if err := errors.Join(node.ShiftClock(0), node.Forget()); err != nil {
			return err
		}
		node.Life.Store(0)
	}
	// The first makes the schema.
	if err := c.Nodes[0].Start(); err != nil {
		return err
	}
	for _, node := range c.Nodes[1:] {
		if err := node.Launch(); err != nil {
			return err
		}
	}
	return c.AwaitListening()
}

// AwaitListening waits until all nodes can be reached.
func (c *Cluster) AwaitListening() error {
	for _, node := range c.Nodes {
		if err := node.AwaitListening(); err != nil {
			return err
		}
	}
	return nil
}

// Redirect points all nodes, or the given ones, at the server that is the primary now.
func (c *Cluster) Redirect(nodes ...*Node) {
	if len(nodes) == 0 {
		nodes = c.Nodes
	}
	for _, node := range nodes {
		node.Store.Retarget(loopback(c.Pair.Primary.Port))
	}
}

// TruthURL is the database of the scenario at the server that is the primary now.
func (c *Cluster) TruthURL() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.Pair.Primary.URL(c.database) + "?application_name=tap"
}

// Promote is Pair.Promote, safe beside TruthURL.
func (c *Cluster) Promote() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.Pair.Promote()
}

// Database of the scenario.
func (c *Cluster) Database() string { return c.database }

// EndNodes kills all nodes.
func (c *Cluster) EndNodes() {
	for _, node := range c.Nodes {
		if node.Alive() {
			node.Kill()
		}
	}
}

// Proxies of all nodes.
func (c *Cluster) Proxies() []*netfault.Proxy {
	var all []*netfault.Proxy
	for _, node := range c.Nodes {
		all = append(all, node.Proxies()...)
	}
	return all
}

// KeepLogs copies what the processes wrote into a folder.
func (c *Cluster) KeepLogs(folder string) {
	logs, _ := filepath.Glob(filepath.Join(c.Folder, "*", "*.log"))
	for _, log := range logs {
		if text, err := os.ReadFile(log); err == nil && len(text) > 0 {
			os.WriteFile(filepath.Join(folder, filepath.Base(filepath.Dir(log))+".log"), text, 0o644)
		}
	}
}

// TruncateLogs empties the nodes' logs between scenarios.
func (c *Cluster) TruncateLogs() {
	for _, node := range c.Nodes {
		os.Truncate(node.log(), 0)
	}
}

// Close ends everything and removes the folder.
func (c *Cluster) Close() {
	c.EndNodes()
	c.Control.Kill()
	c.Redis.Kill()
	c.Pair.End()
	for _, proxy := range c.Proxies() {
		proxy.Close()
	}
	os.RemoveAll(c.Folder)
}

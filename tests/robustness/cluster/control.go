package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// History is what a control plane remembers.
type History string

const (
	TrueHistory  History = "true"  // what the nodes know
	OlderHistory History = "older" // the same cluster, before all of it
	OtherHistory History = "other" // another cluster
)

// ControlPlane is an etcd of one member that governs the nodes; each of them reaches it through a proxy of its own.
type ControlPlane struct {
	folder  string
	port    int
	peer    int
	process *Process
	runs    History
}

// NewControlPlane does not start it.
func NewControlPlane(folder string) *ControlPlane {
	return &ControlPlane{folder: filepath.Join(folder, "control"), port: FreePort(), peer: FreePort()}
}

// Address is where it listens.
func (c *ControlPlane) Address() string { return loopback(c.port) }

// Fresh starts it with nothing in it.
func (c *ControlPlane) Fresh() error {
	c.Kill()
	if err := os.RemoveAll(c.folder); err != nil {
		return err
	}
	return c.Start(TrueHistory)
}

// Start starts it, again if need be, and waits until it listens.
func (c *ControlPlane) Start(history History) error {
	if c.process != nil && c.process.Alive() {
		if c.runs == history {
			return nil
		}
		c.Kill()
	}
	program, err := exec.LookPath("/usr/bin/etcd")
	if err != nil {
		return err
	}
	data := filepath.Join(c.folder, string(history))
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	token := "true"
	if history == OtherHistory {
		token = "other"
	}
	client, peer := "http://"+c.Address(), "http://"+loopback(c.peer)
	c.process, err = Start(Spec{Name: "control", Log: filepath.Join(c.folder, "etcd.log"), Command: []string{program,
		"--name", "m", "--data-dir", data, "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "m=" + peer,
		"--initial-cluster-token", token, "--heartbeat-interval", "20", "--election-timeout", "200"}})
	if err != nil {
		return err
	}
	c.runs = history
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", c.Address()); err == nil {
			conn.Close()
			return nil
		}
	}
	return fmt.Errorf("the control plane does not listen")
}

// Kill is kill -9.
func (c *ControlPlane) Kill() {
	if c.process != nil {
		c.process.Kill()
	}
}

package cluster

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Redis is one redis-server that keeps nothing on disk.
type Redis struct {
	Port    int
	folder  string
	process *Process
}

// NewRedis does not start it.
func NewRedis(folder string) *Redis { return &Redis{Port: FreePort(), folder: folder} }

// Address is where it listens.
func (r *Redis) Address() string { return loopback(r.Port) }

// Start starts it, again if need be, and waits until it listens.
func (r *Redis) Start() error {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return err
	}
	r.process, err = Start(Spec{Name: "redis", Log: filepath.Join(r.folder, "redis.log"), Command: []string{program,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(r.Port), "--save", "", "--appendonly", "no", "--dir", r.folder}})
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", r.Address()); err == nil {
			conn.Close()
			return nil
		}
	}
	return fmt.Errorf("redis does not listen")
}

// Kill is kill -9.
func (r *Redis) Kill() {
	if r.process != nil {
		r.process.Kill()
	}
}

// Pause stops it for a while.
func (r *Redis) Pause(d time.Duration) {
	r.process.Signal(syscall.SIGSTOP)
	time.Sleep(d)
	r.process.Signal(syscall.SIGCONT)
}

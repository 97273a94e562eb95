// Package cluster runs the processes under test: PostgreSQL with its standby, Redis, and several Lattice nodes.
package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Process is one child: it is killed by the kernel should the harness die.
type Process struct {
	Name    string
	Pid     int
	command *exec.Cmd
	done    chan struct{}
	err     error
}

type start struct {
	command *exec.Cmd
	result  chan error
}

// The kernel ties a parent-death signal to the thread that forked: one thread starts all children and never ends.
var (
	starts      = make(chan start)
	starterOnce sync.Once
)

func startInOneThread(command *exec.Cmd) error {
	starterOnce.Do(func() {
		go func() {
			runtime.LockOSThread()
			for s := range starts {
				s.result <- s.command.Start()
			}
		}()
	})
	s := start{command, make(chan error)}
	starts <- s
	return <-s.result
}

// Spec is how to start a process.
type Spec struct {
	Name    string
	Command []string
	Log     string
	Env     []string // added to the harness's own
	User    string   // used when the harness is root
	Death   syscall.Signal
}

// Start starts it.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(spec.Command[0], spec.Command[1:]...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), spec.Env...)
	death := spec.Death
	if death == 0 {
		death = syscall.SIGKILL
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
	if err := asUser(command.SysProcAttr, spec.User); err != nil {
		return nil, err
	}
	if err := startInOneThread(command); err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Name, err)
	}
	p := &Process{Name: spec.Name, Pid: command.Process.Pid, command: command, done: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	return p, nil
}

func asUser(attributes *syscall.SysProcAttr, name string) error {
	if name == "" || os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return nil
}

// Alive says that it has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends one to this process only.
func (p *Process) Signal(signal syscall.Signal) {
	if p.Alive() {
		syscall.Kill(p.Pid, signal)
	}
}

// Kill is kill -9, waited for.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

var errNotEnded = errors.New("did not end in time")

// Stop sends the signal and waits; a process that does not end is killed.
func (p *Process) Stop(signal syscall.Signal, patience time.Duration) error {
	p.Signal(signal)
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("%s %w", p.Name, errNotEnded)
	}
}

// Below the ports that Linux gives to outgoing connections and to whoever listens on port 0: there nobody takes a port by
// chance while the process that it is meant for is down.
const (
	firstPort = 10000
	pastPorts = 32768
)

var handedOut sync.Map

// FreePort is a port of 127.0.0.1 that nobody listens on now, and that it has not returned before.
func FreePort() int {
	for {
		port := firstPort + rand.IntN(pastPorts-firstPort)
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		listener.Close()
		if _, known := handedOut.LoadOrStore(port, true); !known {
			return port
		}
	}
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func runAs(name, folder string, command ...string) error {
	run := exec.Command(command[0], command[1:]...)
	run.Dir = folder
	run.SysProcAttr = &syscall.SysProcAttr{}
	if err := asUser(run.SysProcAttr, name); err != nil {
		return err
	}
	if output, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", command, err, output)
	}
	return nil
}

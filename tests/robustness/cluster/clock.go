package cluster

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed preload/wallclock.c
var wallClockSource []byte

// wallClock is the library that shifts a process's wall clock, compiled when it is needed first.
func (c *Cluster) wallClock() (string, error) {
	library := filepath.Join(c.Folder, "wallclock.so")
	if _, err := os.Stat(library); err == nil {
		return library, nil
	}
	source := filepath.Join(c.Folder, "wallclock.c")
	if err := os.WriteFile(source, wallClockSource, 0o644); err != nil {
		return "", err
	}
	if output, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("cc: %w: %s", err, output)
	}
	return library, nil
}

func (n *Node) clock() string { return filepath.Join(n.folder, "clock") }

// ShiftClock sets how far the node's wall clock is from the machine's, if the node was configured with a clock of its own.
func (n *Node) ShiftClock(by time.Duration) error {
	file, err := os.OpenFile(n.clock(), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	var seconds [8]byte
	binary.NativeEndian.PutUint64(seconds[:], uint64(int64(by/time.Second)))
	_, err = file.WriteAt(seconds[:], 0)
	return err
}

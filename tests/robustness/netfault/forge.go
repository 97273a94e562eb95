package netfault

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"strconv"
	"time"
)

// forgeEvery is the pause between two forged messages.
const forgeEvery = 2 * time.Millisecond

// Forge listens to all channels of a Redis for a while, and publishes on each what nobody should believe: old messages
// again, messages with a flipped bit, cut ones, and noise. It returns how many.
func Forge(address string, long time.Duration, seed int64) (int, error) {
	listener, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	speaker, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer speaker.Close()
	go io.Copy(io.Discard, speaker)
	f := &forger{random: rand.New(rand.NewSource(seed)), heard: make(chan heard, 256), speaker: speaker}
	go f.listen(listener)
	return f.speak(time.Now().Add(long))
}

type heard struct {
	channel string
	payload []byte
}

type forger struct {
	random  *rand.Rand
	heard   chan heard
	speaker net.Conn
}

// listen reads pushed messages: *4 pmessage pattern channel payload.
func (f *forger) listen(conn net.Conn) {
	fmt.Fprintf(conn, "*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\n*\r\n")
	in := bufio.NewReader(conn)
	var parts [][]byte
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		switch line[0] {
		case '*':
			parts = nil
		case '$':
			size, _ := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
			bulk := make([]byte, max(size, 0)+2)
			if _, err := io.ReadFull(in, bulk); err != nil {
				return
			}
			parts = append(parts, bulk[:len(bulk)-2])
		}
		if len(parts) == 4 && string(parts[0]) == "pmessage" {
			select {
			case f.heard <- heard{string(parts[2]), parts[3]}:
			default:
			}
		}
	}
}

func (f *forger) speak(until time.Time) (int, error) {
	var known []heard
	own := map[string]bool{}
	sent := 0
	for time.Now().Before(until) {
		select {
		case message := <-f.heard:
			if !own[string(message.payload)] && len(known) < 1000 {
				known = append(known, message)
			}
		case <-time.After(forgeEvery):
		}
		if len(known) == 0 {
			continue
		}
		message := known[f.random.Intn(len(known))]
		payload := f.twist(message.payload)
		own[string(payload)] = true
		if _, err := fmt.Fprintf(f.speaker, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(message.channel),
			message.channel, len(payload), payload); err != nil {
			return sent, err
		}
		sent++
		time.Sleep(forgeEvery)
	}
	return sent, nil
}

func (f *forger) twist(payload []byte) []byte {
	twisted := bytes.Clone(payload)
	if len(twisted) == 0 {
		return []byte("x")
	}
	switch f.random.Intn(4) {
	case 0: // replayed as it was
	case 1:
		twisted[f.random.Intn(len(twisted))] ^= 1 << f.random.Intn(8)
	case 2:
		twisted = twisted[:f.random.Intn(len(twisted))]
	case 3:
		f.random.Read(twisted)
	}
	return twisted
}

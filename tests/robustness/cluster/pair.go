package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"lattice/tests/robustness/netfault"
)

// Pair is a primary with one streaming standby. The standby reaches the primary through a proxy, so that a primary can
// be cut off. After a failover the roles have changed places; Reset brings back the first state from copies.
type Pair struct {
	Primary     *Postgres
	Standby     *Postgres
	Isolated    *Postgres // the old primary while it runs on, cut off
	Replication *netfault.Proxy
	Synchronous bool
	folder      string
	programs    string
	made        int
	clean       bool
	volume      string // mounted under the primary's tablespace, or empty
}

// NewPair makes both servers and the copies that Reset uses; nothing runs yet.
func NewPair(folder string) (*Pair, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	pair := &Pair{folder: folder, programs: programs}
	if pair.Replication, err = netfault.New("replication", ""); err != nil {
		return nil, err
	}
	if err := pair.makeTemplates(); err != nil {
		return nil, err
	}
	return pair, nil
}

func (p *Pair) server() (*Postgres, error) {
	p.made++
	name := fmt.Sprintf("postgres%d", p.made)
	return newPostgres(name, filepath.Join(p.folder, name), p.programs)
}

func (p *Pair) makeTemplates() error {
	primary, err := p.server()
	if err != nil {
		return err
	}
	standby, err := p.server()
	if err != nil {
		return err
	}
	if err := primary.initialize(); err != nil {
		return err
	}
	if err := primary.start(); err != nil {
		return err
	}
	if err := standby.baseBackup(primary.Port); err != nil {
		return err
	}
	if err := primary.stop(); err != nil {
		return err
	}
	// The backup ends with the primary's log of its own time; the standby fetches what the primary wrote since.
	return nil
}

func (p *Pair) template(number int) string {
	return filepath.Join(p.folder, fmt.Sprintf("postgres%d", number), "data")
}

// Reset ends what runs and starts a fresh pair, synchronous or not. A pair in its first state stays as it is.
func (p *Pair) Reset(synchronous bool) error {
	if p.clean && p.Synchronous == synchronous && p.Primary.Alive() && p.Standby.Alive() {
		return nil
	}
	p.End()
	p.Synchronous = synchronous
	var err error
	if p.Primary, err = p.reuse(p.Primary, p.template(1)); err != nil {
		return err
	}
	if p.Standby, err = p.reuse(p.Standby, p.template(2)); err != nil {
		return err
	}
	p.Isolated = nil
	if err := p.Primary.start(p.names()); err != nil {
		return err
	}
	p.clean = true
	return p.attachStandby()
}

func (p *Pair) reuse(server *Postgres, template string) (*Postgres, error) {
	var err error
	if server == nil {
		if server, err = p.server(); err != nil {
			return nil, err
		}
	}
	return server, server.copyFrom(template)
}

func (p *Pair) names() string {
	if p.Synchronous {
		return "synchronous_standby_names=*"
	}
	return "synchronous_standby_names="
}

// attachStandby starts the standby on the primary, and waits until it streams.
func (p *Pair) attachStandby() error {
	p.Replication.Heal()
	p.Replication.Retarget(loopback(p.Primary.Port))
	host, port, _ := strings.Cut(p.Replication.Address(), ":")
	info := fmt.Sprintf("primary_conninfo=host=%s port=%s user=lattice application_name=standby", host, port)
	if err := p.Standby.start(p.names(), info); err != nil {
		return err
	}
	deadline := time.Now().Add(startPatience)
	for time.Now().Before(deadline) {
		states, err := p.Primary.Query("SELECT state FROM pg_stat_replication")
		if err == nil && len(states) > 0 && states[0] == "streaming" {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the standby does not stream")
}

// Isolate cuts the standby off. Promote makes it the primary; the old one runs on as Isolated, until EndIsolated.
func (p *Pair) Isolate() {
	p.clean = false
	p.Replication.Blackhole(true)
}

// Promote lets the standby take over.
func (p *Pair) Promote() error {
	p.clean = false
	if done, err := p.Standby.Query("SELECT pg_promote(true, 30)"); err != nil || len(done) == 0 || done[0] != "true" {
		return fmt.Errorf("promotion: %v %v", done, err)
	}
	p.Isolated, p.Primary, p.Standby = p.Primary, p.Standby, nil
	return nil
}

// EndIsolated kills the old primary.
func (p *Pair) EndIsolated() {
	if p.Isolated != nil {
		p.Isolated.Kill()
		p.Isolated.removeData()
	}
}

// AttachNew makes a new standby for the primary, and waits until it streams.
func (p *Pair) AttachNew() error {
	var err error
	if p.Standby, err = p.server(); err != nil {
		return err
	}
	if err := p.Standby.baseBackup(p.Primary.Port); err != nil {
		return err
	}
	return p.attachStandby()
}

// End ends all servers at once.
func (p *Pair) End() {
	p.Replication.Heal()
	for _, server := range []*Postgres{p.Primary, p.Standby, p.Isolated} {
		if server != nil {
			server.quit()
		}
	}
	p.unmount()
}

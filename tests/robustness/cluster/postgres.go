package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	postgresAccount = "postgres"
	startPatience   = 60 * time.Second
)

// Postgres is one server: its folder, its port.
type Postgres struct {
	Name     string
	Port     int
	folder   string // holds data/ and the log
	programs string
	settings []string
	process  *Process
}

// postgresPrograms is the bin folder of the newest PostgreSQL that Debian's packages have installed.
func postgresPrograms() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	best, newest := "", 0
	for _, folder := range folders {
		version, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		if version > newest {
			best, newest = folder, version
		}
	}
	if best == "" {
		return "", fmt.Errorf("no PostgreSQL in /usr/lib/postgresql: install the package postgresql")
	}
	return best, nil
}

func newPostgres(name, folder, programs string) (*Postgres, error) {
	p := &Postgres{Name: name, Port: FreePort(), folder: folder, programs: programs}
	return p, ownedFolder(folder)
}

func ownedFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	attributes := &syscall.SysProcAttr{}
	if err := asUser(attributes, postgresAccount); err != nil || attributes.Credential == nil {
		return err
	}
	return os.Chown(folder, int(attributes.Credential.Uid), int(attributes.Credential.Gid))
}

func (p *Postgres) data() string { return filepath.Join(p.folder, "data") }

func (p *Postgres) run(program string, arguments ...string) error {
	return runAs(postgresAccount, p.folder, append([]string{filepath.Join(p.programs, program)}, arguments...)...)
}

func (p *Postgres) initialize() error {
	return p.run("initdb", "--pgdata", p.data(), "--username", "lattice", "--auth", "trust", "--encoding", "UTF8",
		"--locale", "C", "--no-sync")
}

// baseBackup makes this server's data a standby's copy of the one at the port.
func (p *Postgres) baseBackup(port int) error {
	if err := p.removeData(); err != nil {
		return err
	}
	if err := p.run("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "lattice", "-D", p.data(),
		"--checkpoint=fast", "--wal-method=stream", "--no-sync"); err != nil {
		return err
	}
	return runAs(postgresAccount, p.folder, "touch", filepath.Join(p.data(), "standby.signal"))
}

// copyFrom makes this server's data that of a stopped one.
func (p *Postgres) copyFrom(folder string) error {
	if err := p.removeData(); err != nil {
		return err
	}
	return runAs(postgresAccount, p.folder, "cp", "-a", "--reflink=auto", folder, p.data())
}

func (p *Postgres) removeData() error { return os.RemoveAll(p.data()) }

// start starts it with further settings, and waits until it accepts connections.
func (p *Postgres) start(settings ...string) error {
	p.settings = settings
	return p.restart()
}

func (p *Postgres) restart() error {
	deadline := time.Now().Add(startPatience)
	for {
		err := p.startOnce(deadline)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		// Children of a killed postmaster may still hold its shared memory.
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *Postgres) startOnce(deadline time.Time) error {
	command := []string{filepath.Join(p.programs, "postgres"), "-D", p.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", fmt.Sprintf("port=%d", p.Port), "unix_socket_directories=" + p.folder,
		"logging_collector=off", "log_min_messages=warning", "log_line_prefix=%m [%p] ", "shared_buffers=32MB",
		"max_connections=100", "wal_keep_size=128MB", "wal_sender_timeout=20s", "wal_receiver_timeout=20s",
		"wal_retrieve_retry_interval=100ms", "max_wal_size=512MB", "min_wal_size=64MB",
		"allow_in_place_tablespaces=on",
	}, p.settings...) {
		command = append(command, "-c", setting)
	}
	process, err := Start(Spec{Name: p.Name, Command: command, Log: filepath.Join(p.folder, "postgres.log"),
		User: postgresAccount, Death: syscall.SIGQUIT})
	if err != nil {
		return err
	}
	p.process = process
	for process.Alive() && time.Now().Before(deadline) {
		if p.accepts() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	process.Kill()
	return fmt.Errorf("%s is not ready; see %s", p.Name, p.folder)
}

func (p *Postgres) accepts() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return false
	}
	conn.Close(ctx)
	return true
}

// URL of one of its databases.
func (p *Postgres) URL(database string) string { return postgresURL(loopback(p.Port), database) }

func postgresURL(address, database string) string {
	return fmt.Sprintf("postgresql://lattice@%s/%s", address, database)
}

// Query runs SQL and returns the first column of its rows.
func (p *Postgres) Query(sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	var found []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			found = append(found, fmt.Sprint(values[0]))
		}
	}
	return found, rows.Err()
}

// Alive says that the postmaster runs.
func (p *Postgres) Alive() bool { return p.process != nil && p.process.Alive() }

// Pid of the postmaster.
func (p *Postgres) Pid() int { return p.process.Pid }

// Kill is kill -9 of the postmaster; its children notice.
func (p *Postgres) Kill() {
	if p.process != nil {
		p.process.Kill()
	}
}

// Restart starts it again as it was.
func (p *Postgres) Restart() error { return p.restart() }

// quit ends it without a checkpoint.
func (p *Postgres) quit() {
	if p.process != nil {
		p.process.Stop(syscall.SIGQUIT, 5*time.Second)
	}
}

// stop ends it with a checkpoint, so that its data may be copied.
func (p *Postgres) stop() error { return p.process.Stop(syscall.SIGINT, startPatience) }

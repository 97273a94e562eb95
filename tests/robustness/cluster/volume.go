package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const volumeOptions = "size=64m,mode=0700"

// SmallVolume puts a tablespace "small" of the primary on a volume of its own, which FillVolume fills to the brim. It
// needs the right to mount.
func (p *Pair) SmallVolume() error {
	p.clean = false
	if _, err := p.Primary.Query("CREATE TABLESPACE small LOCATION ''"); err != nil {
		return err
	}
	oid, err := p.Primary.Query("SELECT oid FROM pg_tablespace WHERE spcname = 'small'")
	if err != nil || len(oid) != 1 {
		return fmt.Errorf("the tablespace is not there: %w", err)
	}
	folder := filepath.Join(p.Primary.data(), "pg_tblspc", oid[0])
	inside, err := os.ReadDir(folder)
	if err != nil || len(inside) != 1 {
		return fmt.Errorf("the tablespace's folder is not as expected: %w", err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, volumeOptions); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	p.volume = folder
	if err := ownedFolder(folder); err != nil {
		return err
	}
	return ownedFolder(filepath.Join(folder, inside[0].Name()))
}

func (p *Pair) filler() string { return filepath.Join(p.volume, "filler") }

// FillVolume leaves no byte free.
func (p *Pair) FillVolume() error {
	file, err := os.Create(p.filler())
	if err != nil {
		return err
	}
	defer file.Close()
	piece := make([]byte, 64<<10)
	for len(piece) > 0 {
		if _, err := file.Write(piece); err != nil {
			piece = piece[:len(piece)/2]
		}
	}
	return nil
}

// EmptyVolume gives the room back.
func (p *Pair) EmptyVolume() error { return os.Remove(p.filler()) }

func (p *Pair) unmount() {
	if p.volume != "" {
		syscall.Unmount(p.volume, syscall.MNT_DETACH)
		p.volume = ""
	}
}

// CanMount says whether this process may mount, as SmallVolume needs.
func CanMount() bool {
	folder, err := os.MkdirTemp("", "lattice-mount-")
	if err != nil {
		return false
	}
	defer os.Remove(folder)
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		return false
	}
	return syscall.Unmount(folder, 0) == nil
}

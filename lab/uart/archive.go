package uart

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// archive is a file system for a kernel to begin with, in the format that it
// reads (Documentation/driver-api/early-userspace/buffer-format.rst, "newc").
type archive struct {
	out   bytes.Buffer
	inode int
	dirs  map[string]bool
}

func newArchive() *archive { return &archive{dirs: map[string]bool{".": true, "/": true}} }

const (
	modeDirectory = 0o040755
	modeProgram   = 0o100755
	modeLink      = 0o120777
)

// add puts a file of the host, which may be executed there, at a place.
func (a *archive) add(source, target string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	a.write(target, content)
	return nil
}

func (a *archive) write(target string, content []byte) {
	a.parents(target)
	a.entry(target, modeProgram, content)
}

func (a *archive) link(target, to string) {
	a.parents(target)
	a.entry(target, modeLink, []byte(to))
}

func (a *archive) directory(target string) {
	a.parents(target + "/.")
}

func (a *archive) parents(target string) {
	dir := path.Dir(target)
	if a.dirs[dir] {
		return
	}
	a.dirs[dir] = true
	a.parents(dir)
	a.entry(dir, modeDirectory, nil)
}

// entry writes a header of thirteen numbers, a name and a content, each padded
// to four bytes.
func (a *archive) entry(target string, mode int, content []byte) {
	a.inode++
	name := strings.TrimPrefix(target, "/")
	links := 1
	fmt.Fprintf(&a.out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		a.inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	a.out.WriteString(name + "\x00")
	a.pad()
	a.out.Write(content)
	a.pad()
}

func (a *archive) pad() {
	for a.out.Len()%4 != 0 {
		a.out.WriteByte(0)
	}
}

// WriteTo ends the archive and writes it.
func (a *archive) WriteTo(w io.Writer) (int64, error) {
	a.entry("TRAILER!!!", 0, nil)
	return a.out.WriteTo(w)
}

package service

import (
	"context"
	"fmt"
	"os"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/trust"
)

// clean removes the lock and the socket of a daemon that was killed, since
// conntrackd refuses to start beside a lock file. It does so only when no
// daemon can be the owner.
func (d *Direct) clean(ctx context.Context) error {
	lock := d.lock()
	owned, err := d.lockOwner()
	if err != nil {
		return err
	}
	if owned != nil {
		remedy := fmt.Sprintf("name another LockFile and UNIX Path in %s, or for a new file give --runtime-dir a directory of its own", d.Config)
		if other := owned.otherFile(d.Config); other != nil && owned.ofThisNetwork() == nil {
			remedy = other.Remedy
		}
		return fmt.Errorf("lock file %s belongs to another conntrackd (process %d, %s); %s", lock, owned.pid, owned.config, remedy)
	}
	if err := trust.RemoveStale(lock, trust.Lock); err != nil {
		return err
	}
	socket := d.socket()
	if socket == "" || control.NewClient(socket).Alive(ctx) {
		return nil
	}
	return trust.RemoveStale(socket, trust.Socket)
}

// killed says whether a daemon has left its lock file, an empty one of root's, which
// one that is stopped, or fails to start, takes away. What others put there says
// nothing.
func (d *Direct) killed() (bool, error) {
	lock := d.lock()
	if _, err := os.Lstat(lock); err != nil || trust.Usable(lock, trust.Lock) != nil {
		return false, nil // there is none, or nobody here can see it
	}
	owner, err := d.lockOwner()
	return err == nil && owner == nil, err
}

// lockOwner returns a live daemon that may hold the service's lock file: one whose
// configuration names the same file, also from another mount namespace, as that of "ip
// netns exec" is. Where its configuration cannot be read any more, it is one of this mount
// namespace that started when the file was made.
func (d *Direct) lockOwner() (*process, error) {
	lock := d.lock()
	all, err := processes(d.Binary)
	if err != nil {
		return nil, err
	}
	_, mounts, err := OwnNamespaces()
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		theirs := lock
		content, err := p.readSeen(p.config)
		switch {
		case err == nil:
			f, _ := conntrackd.Parse(p.config, content)
			theirs = f.LockFile()
		case !p.hidden && p.mounts != mounts, !madeAtStart(lock, p): // such as another connsync's trial start
			continue
		}
		if p.sees(theirs, lock, mounts) && p.lives() {
			return &p, nil
		}
	}
	return nil, nil
}

// sees says whether the file at theirs, as p finds it, is the one at path here; mounts is
// the mount namespace of the calling thread. Where one cannot be seen, the names decide.
func (p process) sees(theirs, path, mounts string) bool {
	stat, err := statSeen(p.pid, theirs)
	own, ownErr := os.Stat(path)
	if err == nil && ownErr == nil {
		return sameInode(stat, own)
	}
	return (p.hidden || p.mounts == mounts) && samePath(theirs, path)
}

// madeAtStart says whether the lock file is as old as the process, which
// makes it within its first second.
func madeAtStart(lock string, p process) bool {
	info, err := os.Stat(lock)
	if err != nil {
		return false
	}
	started, err := p.started()
	return err != nil || info.ModTime().Sub(started).Abs() < 5*time.Second
}

func (d *Direct) lock() string {
	if d.LockFile != "" {
		return d.LockFile
	}
	return d.config().LockFile()
}

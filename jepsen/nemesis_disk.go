// Nemeses of the disk: full, failing, cut from power, lying.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const noView = "a disk that is mounted later is not seen there"

func diskNemeses() []*nemesis {
	return []*nemesis{
		{name: "disk-full", once: diskFullOnce},
		{name: "io-error", rounds: 2, notContained: "strace is not let in", lacks: lacksStrace, once: ioErrorOnce},
		{name: "power-cut", rounds: 2, notContained: noView, lacks: lacksFuse, once: func(c *cluster, random *rand.Rand) (func() error, error) {
			// All at once, or the leader and one more.
			list := c.shuffled(random)
			if random.Intn(3) == 0 {
				list = list[:2]
			}
			return cutOnce(c, random, list)
		}},
		{name: "lying-disk", rounds: 2, notContained: noView, needsFive: true, calmsChurn: true, lacks: lacksFuse, once: func(c *cluster, random *rand.Rand) (func() error, error) {
			// A minority; what a majority of liars loses is lost.
			mend, err := cutOnce(c, random, c.shuffled(random)[:1+random.Intn(2)], "--lying")
			return func() error {
				if err := mend(); err != nil {
					return err
				}
				return c.refresh()
			}, err
		}},
	}
}

// diskFullOnce takes all space of one node or two. They come back by themselves.
func diskFullOnce(c *cluster, random *rand.Rand) (func() error, error) {
	list := c.shuffled(random)[:1+random.Intn(2)]
	mend := func() error {
		for _, n := range list {
			if err := c.lab("unfill", n.host); err != nil {
				return err
			}
		}
		return nil
	}
	for _, n := range list {
		if err := c.lab("fill", n.host); err != nil {
			return mend, err
		}
	}
	return mend, nil
}

func lacksStrace(*cluster) string {
	if _, err := exec.LookPath("strace"); err != nil {
		return "strace is not here: ./run setup test"
	}
	return ""
}

const diskCalls = "fsync,fdatasync,msync,pwrite64,pwritev,pwritev2,ftruncate,sync_file_range"

// ioErrorOnce lets every write to the disk of one node fail. Its member halts for the life of
// the process; so it is started anew when the disk is well again.
func ioErrorOnce(c *cluster, random *rand.Rand) (func() error, error) {
	n := c.shuffled(random)[random.Intn(2)] // the leader, or another
	said := &bytes.Buffer{}
	strace := exec.Command("strace", "-f", "-p", strconv.Itoa(n.pid()), "-e", "trace="+diskCalls,
		"-e", "inject="+diskCalls+":error=EIO", "-o", "/dev/null")
	strace.Stderr = said
	strace.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := strace.Start(); err != nil {
		return nil, err
	}
	mend := func() error {
		strace.Process.Signal(syscall.SIGTERM)
		strace.Wait()
		n.kill()
		return c.start(n)
	}
	if err := until(upLimit, func() bool { return c.isHalted(n) }); err != nil {
		return mend, fmt.Errorf("%s does not halt though no write succeeds: %s", n.name, firstLine(said.String()))
	}
	return mend, nil
}

func firstLine(text string) string { return strings.SplitN(text, "\n", 2)[0] }

func lacksFuse(c *cluster) string {
	if _, err := os.Stat(filepath.Join(c.o.tools, "unsynced")); err != nil {
		return "tests/lab/unsynced is not built: fuse3 is not here: ./run setup test"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return "there is no /dev/fuse"
	}
	return ""
}

// cutOnce restarts nodes on a disk that holds back what is not synced (tests/lab/unsynced.c),
// lets them work, then cuts the power of all of them at once.
func cutOnce(c *cluster, random *rand.Rand, list []*node, flags ...string) (func() error, error) {
	disks := map[*node]*exec.Cmd{}
	mend := func() error {
		for _, n := range list {
			n.signal(syscall.SIGKILL)
		}
		var failure error
		for _, n := range list {
			n.kill()
			if err := endDisk(n, disks[n]); err != nil {
				failure = err
			}
		}
		if failure != nil {
			return failure
		}
		return startAll(c, list)
	}
	for _, n := range list {
		n.signal(syscall.SIGKILL)
	}
	for _, n := range list {
		n.kill()
		disk, err := beginDisk(c, n, random, flags)
		if err != nil {
			return mend, err
		}
		disks[n] = disk
		if err := c.start(n); err != nil {
			return mend, err
		}
	}
	for _, n := range list {
		if err := c.waitUp(n); err != nil {
			return mend, err
		}
	}
	return mend, c.waitLeader()
}

// refresh hands leadership on. The leader of before goes on believing what a node with a lying
// disk had promised, and sends it nothing older; another one asks anew what it has.
func (c *cluster) refresh() error {
	return until(upLimit, func() bool {
		leader := c.leader()
		if leader == nil {
			return false
		}
		c.caller.call(leader, "POST", "/v1/cluster/transfer", "{}", nil)
		return until(2*time.Second, func() bool {
			now := c.leader()
			return now != nil && now != leader
		}) == nil
	})
}

func beginDisk(c *cluster, n *node, random *rand.Rand, flags []string) (*exec.Cmd, error) {
	view := filepath.Join(n.disk, "view")
	if err := os.MkdirAll(view, 0755); err != nil {
		return nil, err
	}
	arguments := append(append([]string{}, flags...), "--seed", strconv.Itoa(1+random.Intn(1<<30)), n.data, view)
	disk := exec.Command(filepath.Join(c.o.tools, "unsynced"), arguments...)
	disk.Stderr = n.log
	disk.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := disk.Start(); err != nil {
		return nil, err
	}
	if err := until(upLimit, func() bool { return isMounted(view) }); err != nil {
		disk.Process.Kill()
		disk.Wait()
		return nil, errors.New("the file system does not mount; see the node's log")
	}
	n.view = view
	return disk, nil
}

// endDisk cuts the power; what the directory holds then is what survived.
func endDisk(n *node, disk *exec.Cmd) error {
	if disk == nil {
		return nil
	}
	view := n.view
	n.view = ""
	disk.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- disk.Wait() }()
	select {
	case <-ended:
	case <-time.After(upLimit):
		disk.Process.Kill()
		<-ended
		syscall.Unmount(view, syscall.MNT_DETACH)
		return fmt.Errorf("the disk of %s does not end", n.name)
	}
	if isMounted(view) {
		syscall.Unmount(view, syscall.MNT_DETACH)
	}
	return nil
}

func mounts() []string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var list []string
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 {
			list = append(list, fields[4])
		}
	}
	return list
}

func isMounted(path string) bool {
	for _, m := range mounts() {
		if m == path {
			return true
		}
	}
	return false
}

// unmountAll takes away what is mounted below a directory, deepest first.
func unmountAll(below string) {
	list := mounts()
	for i := len(list) - 1; i >= 0; i-- {
		if strings.HasPrefix(list[i], below+"/") {
			syscall.Unmount(list[i], syscall.MNT_DETACH)
		}
	}
}

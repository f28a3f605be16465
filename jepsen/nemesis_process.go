// Nemeses that end, stop or deceive processes.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	drainLimit = 12 * time.Second
	upLimit    = 20 * time.Second
)

// waitUp: its loops turn again; whether it takes part shows in the end.
func (c *cluster) waitUp(n *node) error {
	if err := until(upLimit, func() bool {
		status, _ := c.health(n, "/livez")
		return status == 200
	}); err != nil {
		return fmt.Errorf("%s is not up: %w", n.name, err)
	}
	return nil
}

func (c *cluster) waitLeader() error {
	if err := until(upLimit, func() bool { return c.leader() != nil }); err != nil {
		return fmt.Errorf("there is no leader: %w", err)
	}
	return nil
}

// some: one node, two, the leader, or all.
func some(c *cluster, random *rand.Rand, mayAll bool) []*node {
	list := c.shuffled(random)
	switch chance := random.Intn(4); {
	case chance == 0:
		return list[:1] // the leader
	case chance == 1:
		return list[:2]
	case chance == 2 && mayAll:
		return list
	}
	return list[1 : 2+random.Intn(2)]
}

func startAll(c *cluster, list []*node) error {
	for _, n := range list {
		if err := c.start(n); err != nil {
			return fmt.Errorf("start %s: %w", n.name, err)
		}
	}
	return nil
}

func processNemeses() []*nemesis {
	return []*nemesis{
		{name: "kill", once: func(c *cluster, random *rand.Rand) (func() error, error) {
			list := some(c, random, true)
			for _, n := range list {
				n.signal(syscall.SIGKILL)
			}
			for _, n := range list {
				n.kill()
			}
			return func() error { return startAll(c, list) }, nil
		}},
		{name: "pause", once: func(c *cluster, random *rand.Rand) (func() error, error) {
			list := some(c, random, true)
			for _, n := range list {
				n.signal(syscall.SIGSTOP)
			}
			return func() error {
				for _, n := range list {
					n.signal(syscall.SIGCONT)
				}
				return nil
			}, nil
		}},
		{name: "rolling-restart", rounds: 1, once: func(c *cluster, random *rand.Rand) (func() error, error) {
			list := c.shuffled(random)
			for _, n := range append(list[1:], list[0]) { // the leader last, as one does
				n.stop(drainLimit)
				if err := c.start(n); err != nil {
					return nil, err
				}
				if err := c.waitUp(n); err != nil {
					return nil, err
				}
				if err := c.waitLeader(); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}},
		{name: "clock", rounds: 2, notContained: "the image has no libfaketime", lacks: lacksFaketime, once: clockOnce},
	}
}

func faketimeLibrary() string {
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

func lacksFaketime(*cluster) string {
	if faketimeLibrary() == "" {
		return "libfaketime is not here: ./run setup test"
	}
	return ""
}

// clockOnce restarts two nodes under a clock of their own, the leader among them, and
// throws it an hour back and forth. Time that only rises is left alone: that is the kernel's
// word, and not an operator's to set.
func clockOnce(c *cluster, random *rand.Rand) (func() error, error) {
	list := c.shuffled(random)[:2]
	mend := func() error {
		for _, n := range list {
			n.kill()
			n.environ = nil
		}
		return startAll(c, list)
	}
	for _, n := range list {
		file := filepath.Join(n.disk, "clock")
		if err := os.WriteFile(file, []byte("+0\n"), 0644); err != nil {
			return mend, err
		}
		n.kill()
		n.environ = []string{"LD_PRELOAD=" + faketimeLibrary(), "FAKETIME_TIMESTAMP_FILE=" + file,
			"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"}
		if err := c.start(n); err != nil {
			return mend, err
		}
		if err := c.waitUp(n); err != nil {
			return mend, err
		}
	}
	for _, jump := range []string{"+3600s", "-3600s", "+86400s", "+0"} {
		for _, n := range list {
			if err := os.WriteFile(filepath.Join(n.disk, "clock"), []byte(jump+"\n"), 0644); err != nil {
				return mend, err
			}
		}
		time.Sleep(c.o.pace / 3)
	}
	return mend, nil
}

// Nemeses that end, stop or deceive processes.
package main

import (
	"fmt"
	"math/rand"
	"syscall"
	"time"
)

const drainLimit = 12 * time.Second

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
	}
}

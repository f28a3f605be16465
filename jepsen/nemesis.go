// Nemeses: what is broken on purpose. Each breaks and mends in rounds, with a
// calm in between; what it broke is whole again when it returns.
package main

import (
	"fmt"
	"math/rand"
	"time"
)

type nemesis struct {
	name string
	// why not on this machine; nil: always.
	lacks func(c *cluster) string
	// once: breaks; returns how to mend.
	once func(c *cluster, random *rand.Rand) (func() error, error)
	// rounds of it; 0: the usual.
	rounds int
	// It ends and starts processes: nobody else may meanwhile.
	ownsProcesses bool
	// It needs five voters to be what it says.
	needsFive bool
	// Membership rests meanwhile: with it, what is promised would not hold.
	calmsChurn bool
	// why not in containers; empty: there too.
	notContained string
}

// whyNot it cannot be met here; empty: it can.
func (n *nemesis) whyNot(c *cluster) string {
	if c.o.image != "" && n.notContained != "" {
		return "in containers: " + n.notContained
	}
	if n.lacks != nil {
		return n.lacks(c)
	}
	return ""
}

const usualRounds = 3

func allNemeses() []*nemesis {
	others := append(processNemeses(), diskNemeses()...)
	for _, n := range others {
		n.ownsProcesses = true
	}
	return append(networkNemeses(), others...)
}

func nemesisByName(name string) *nemesis {
	for _, n := range allNemeses() {
		if n.name == name {
			return n
		}
	}
	return nil
}

// run goes through its rounds. It always mends what it broke.
func (n *nemesis) run(c *cluster, random *rand.Rand, pace time.Duration) (faults int, err error) {
	rounds := n.rounds
	if rounds == 0 {
		rounds = usualRounds
	}
	for i := 0; i < rounds; i++ {
		if err := n.round(c, random, pace); err != nil {
			return faults, fmt.Errorf("%s: %w", n.name, err)
		}
		faults++
		time.Sleep(pace / 2)
	}
	return faults, nil
}

func (n *nemesis) round(c *cluster, random *rand.Rand, pace time.Duration) error {
	if n.ownsProcesses {
		c.processes.Lock()
		defer c.processes.Unlock()
	}
	mend, err := n.once(c, random)
	if err == nil {
		time.Sleep(pace + time.Duration(random.Int63n(int64(pace)/2)))
	}
	if mend != nil {
		if failure := mend(); failure != nil && err == nil {
			err = failure
		}
	}
	return err
}

// lab runs one command of lab.sh.
func (c *cluster) lab(arguments ...string) error {
	said, err := c.o.labCommand(arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("lab %v: %s", arguments, said)
	}
	return nil
}

// cut is a nemesis that is one command of the lab, and heal.
func cut(name string, arguments func(c *cluster, random *rand.Rand) []string) *nemesis {
	return &nemesis{name: name, once: func(c *cluster, random *rand.Rand) (func() error, error) {
		return func() error { return c.lab("heal") }, c.lab(arguments(c, random)...)
	}}
}

func networkNemeses() []*nemesis {
	list := []*nemesis{
		cut("isolate-leader", func(c *cluster, random *rand.Rand) []string {
			return []string{"isolate", c.shuffled(random)[0].host}
		}),
		cut("partition-minority", func(c *cluster, random *rand.Rand) []string {
			list := c.shuffled(random)
			return []string{"partition", hostsOf(list[:2]), hostsOf(list[2:])} // the leader among the two
		}),
		cut("partition-majority", func(c *cluster, random *rand.Rand) []string {
			// Three parts, none of which is a majority: nothing may be acknowledged.
			list := c.shuffled(random)
			return []string{"partition", hostsOf(list[:2]), hostsOf(list[2:4]), hostsOf(list[4:])}
		}),
		cut("one-way", func(c *cluster, random *rand.Rand) []string {
			list := c.shuffled(random)
			if random.Intn(2) == 0 {
				return []string{"oneway", list[0].host, hostsOf(list[1:])} // nobody hears the leader
			}
			return []string{"oneway", hostsOf(list[1:]), list[0].host} // the leader hears nobody
		}),
		cut("ring", func(c *cluster, random *rand.Rand) []string { return []string{"ring"} }),
		cut("bridge", func(c *cluster, random *rand.Rand) []string {
			list := c.shuffled(random)
			return []string{"bridge", list[random.Intn(len(list))].host}
		}),
		cut("lossy", func(c *cluster, random *rand.Rand) []string {
			return []string{"loss", "nodes", "nodes", fmt.Sprint(5 + random.Intn(25))}
		}),
		{name: "slow", notContained: "their network has no links to slow down", once: func(c *cluster, random *rand.Rand) (func() error, error) {
			delay := fmt.Sprintf("%dms", 15+random.Intn(60))
			return func() error { return c.lab("calm") }, c.lab("wan", "all", "delay", delay, "jitter", "10ms")
		}},
	}
	for _, n := range list {
		switch n.name {
		case "partition-minority", "partition-majority", "ring", "bridge":
			n.needsFive = true
		}
	}
	return list
}

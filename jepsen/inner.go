// The inner process: founds the cluster, goes through the nemeses, tells.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"
)

func chosen(o *options) ([]*nemesis, error) {
	if o.nemeses == "" {
		return allNemeses(), nil
	}
	var list []*nemesis
	for _, name := range strings.Split(o.nemeses, ",") {
		n := nemesisByName(name)
		if n == nil {
			return nil, fmt.Errorf("there is no nemesis '%s'; -list names them", name)
		}
		list = append(list, n)
	}
	return list, nil
}

const wrongTold = 6 // lines, of one cell

type totals struct {
	cells, operations, violations, skipped int
	found                                  int      // by checkers, and processes that crashed
	wrong                                  []string // told once more at the end, where it is looked for
}

func (t *totals) add(number int, n *nemesis, r *result) {
	fmt.Printf("act %d %s: %s; %.0f/s before the first of %d faults; %.1f s\n", number, n.name, r.outcomes,
		r.perSecond, r.faults, r.took.Seconds())
	fmt.Printf("  %s\n", r.also)
	t.operations += r.operations
	t.found += r.crashed
	for _, c := range r.cells {
		t.cells++
		if len(c.wrong) == 0 {
			fmt.Printf("ok %s x %s\n", c.workload, c.nemesis)
			continue
		}
		t.violations++
		t.found += c.found
		fmt.Printf("not ok %s x %s\n", c.workload, c.nemesis)
		if more := len(c.wrong) - wrongTold; more > 0 {
			c.wrong = append(c.wrong[:wrongTold], fmt.Sprintf("and %d more", more))
		}
		for _, line := range c.wrong {
			t.wrong = append(t.wrong, fmt.Sprintf("# %s x %s (act %d): %s", c.workload, c.nemesis, number, line))
			fmt.Println("#", line)
		}
	}
}

func inner(o *options) int {
	list, err := chosen(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return 2
	}
	began := time.Now()
	c, err := newCluster(o)
	if err == nil {
		defer c.close()
		err = c.found()
	}
	if err == nil && o.plant != "" {
		err = c.plant()
	}
	if err != nil {
		fmt.Println("not ok jepsen: the cluster is not founded:", err)
		return 1
	}
	fmt.Printf("seed %d: %d nodes after %.1f s\n", o.seed, len(c.nodes), time.Since(began).Seconds())

	var t totals
	random := rand.New(rand.NewSource(o.seed))
	for number, round := 0, 0; ; round++ {
		if round > 0 {
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		for _, n := range list {
			if why := n.whyNot(c); why != "" {
				if round == 0 {
					fmt.Printf("skip %s: %s\n", n.name, why)
					t.skipped++
				}
				continue
			}
			t.add(number, n, c.act(number, n))
			number++
			if o.plant != "" && t.found > 0 {
				break
			}
		}
		if time.Since(began) > time.Duration(o.minutes)*time.Minute || (o.plant != "" && t.found > 0) {
			break
		}
	}
	if o.plant == "" {
		if err := c.waitVoters(nodeCount, convergeLimit); err != nil {
			fmt.Println("not ok the shape in the end:", err)
			t.violations++
		} else {
			fmt.Println("ok the shape in the end: all five vote")
		}
	}
	for _, line := range t.wrong {
		fmt.Println(line)
	}
	if o.plant != "" {
		if t.found > 0 {
			fmt.Printf("ok planted bug %s is caught\n", o.plant)
			return 0
		}
		fmt.Printf("not ok planted bug %s is not caught in %d operations\n", o.plant, t.operations)
		return 1
	}
	fmt.Printf("JEPSEN cells %d operations %d violations %d\n", t.cells, t.operations, t.violations)
	if t.violations > 0 {
		return 1
	}
	return 0
}

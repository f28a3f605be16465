// An act: all workloads at once on the cluster, one nemesis at work, then calm,
// last reads and the verdicts.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	warmUp        = 1500 * time.Millisecond
	warmUpLeast   = 100 // operations a second before the first fault, or the act is void
	convergeLimit = 45 * time.Second
	settleLimit   = 20 * time.Second
)

// cell: a workload under a nemesis.
type cell struct {
	workload, nemesis string
	wrong             []string
	found             int // by the checker, of wrong
}

type result struct {
	cells      []cell
	operations int
	outcomes   string
	also       string // what watches and churn did
	faults     int
	perSecond  float64 // before the first fault
	took       time.Duration
	wrong      []string // of the act as a whole: each of its cells failed
	crashed    int      // processes that ended unasked
}

func newWorkloads(prefix string) []workload {
	return []workload{newRegister(prefix), newSet(prefix), newBank(prefix)}
}

// share of the operations that goes to each workload, in that order.
var shares = []int{50, 20, 30}

func (w *worker) run(workloads []workload, stop <-chan struct{}) {
	total := 0
	for _, s := range shares {
		total += s
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		chance := w.random.Intn(total)
		for i, s := range shares {
			if chance < s {
				workloads[i].operate(w)
				break
			}
			chance -= s
		}
	}
}

func newWorker(c *cluster, h *history, seed int64, number int) *worker {
	return &worker{cluster: c, history: h, random: rand.New(rand.NewSource(seed*1000 + int64(number))),
		number: number, home: number % len(c.nodes),
		seen: map[string]cellValue{}, sawMany: map[string][cellsMax]cellValue{}}
}

func (c *cluster) act(number int, n *nemesis) *result {
	began := time.Now()
	r := &result{}
	h := newHistory()
	seed := c.o.seed + int64(number)
	random := rand.New(rand.NewSource(seed))
	workloads := newWorkloads(fmt.Sprintf("a%d", number))

	watch, churn := newWatch(c), newChurn(c, rand.New(rand.NewSource(seed+1)), number)
	if n.needsFive {
		if err := c.waitVoters(nodeCount, convergeLimit); err != nil {
			r.wrong = append(r.wrong, err.Error())
		}
	}
	h.began = time.Now()
	watch.start()

	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := 0; i < c.o.workers; i++ {
		w := newWorker(c, h, seed, i)
		clients.Add(1)
		go func() {
			defer clients.Done()
			w.run(workloads, stop)
		}()
	}

	time.Sleep(warmUp)
	r.perSecond = float64(h.count()) / time.Since(h.began).Seconds()
	var err error
	if r.perSecond < warmUpLeast {
		r.wrong = append(r.wrong, fmt.Sprintf("void: %.0f operations a second before the first fault, %d are needed",
			r.perSecond, warmUpLeast))
	} else {
		churn.start()
		if n.calmsChurn {
			time.Sleep(2 * churnPause)
			churn.rest()
		}
		if r.faults, err = n.run(c, random, c.o.pace); err != nil {
			r.wrong = append(r.wrong, "the nemesis failed: "+err.Error())
		}
	}
	churn.rest()
	wrong, crashed := c.mend()
	r.wrong, r.crashed = append(r.wrong, wrong...), crashed
	time.Sleep(c.o.pace / 2)
	close(stop)
	clients.Wait()

	churned := churn.finish()
	last := newWorker(c, h, seed, c.o.workers)
	if err := c.converge(convergeLimit); err != nil {
		r.wrong = append(r.wrong, err.Error())
	} else {
		last.limit = time.Now().Add(settleLimit)
		for _, w := range workloads {
			w.settle(last)
		}
		if last.isLate {
			r.wrong = append(r.wrong, fmt.Sprintf("the last reads took more than %s", settleLimit))
		}
	}
	groups := h.groups()
	for _, w := range workloads {
		found := w.check(groups, c.o.out)
		r.cells = append(r.cells, cell{w.name(), n.name, append(found, r.wrong...), len(found)})
	}
	watched := watch.finish(groups, c.o.out)
	r.cells = append(r.cells, cell{watch.name(), n.name, append(watched, r.wrong...), len(watched)},
		cell{churn.name(), n.name, append(churned, r.wrong...), 0}) // no sign of a planted bug
	r.also = fmt.Sprintf("%s; %d transfers %s", watch.summary(), churn.transfers, strings.Join(churn.did, ", "))
	c.clean()
	r.operations, r.outcomes = h.count(), h.outcomes()
	r.took = time.Since(began)
	if c.o.plant != "" || anyWrong(r.cells) {
		save(filepath.Join(c.o.out, fmt.Sprintf("act-%d-%s.jsonl", number, n.name)), h.operations)
	}
	return r
}

// clean deletes what the act made, so that an hour's run does not end with a catalog of its
// own size. It may fail: then there is more to delete next time.
func (c *cluster) clean() {
	for _, n := range c.nodes {
		var list struct {
			Items []object `json:"items"`
		}
		a := c.caller.call(n, "GET", "/v1/resources/policy", "", nil)
		if a.outcome != done || json.Unmarshal(a.body, &list) != nil || len(list.Items) == 0 {
			continue
		}
		var names []string
		for _, o := range list.Items {
			names = append(names, fmt.Sprintf(`{"kind":"Policy","name":%q}`, o.Metadata.Name))
		}
		body := fmt.Sprintf(`{"delete":[%s]}`, strings.Join(names, ","))
		if c.caller.call(n, "POST", "/v1/apply", body, nil).outcome == done {
			return
		}
	}
}

func anyWrong(cells []cell) bool {
	for _, c := range cells {
		if len(c.wrong) > 0 {
			return true
		}
	}
	return false
}

// mend sees to it that every node runs and nothing is in anyone's way, whatever the nemesis
// left; a process that ended unasked is a fault of its own.
func (c *cluster) mend() (wrong []string, crashed int) {
	for _, undo := range []string{"heal", "calm"} {
		if err := c.lab(undo); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for _, n := range c.nodes {
		if n.hasEnded() {
			wrong = append(wrong, fmt.Sprintf("%s ended by itself: %s; see its log", n.name, n.process.ProcessState))
			crashed++
			n.gone()
		}
		if err := c.start(n); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong, crashed
}

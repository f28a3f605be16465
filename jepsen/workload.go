// Workloads and their clients: each client is one goroutine bound to one node,
// as its users are, so that both sides of every partition are asked.
package main

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

type workload interface {
	name() string
	operate(w *worker)
	// settle makes the last reads, with all faults over.
	settle(w *worker)
	// check says what is wrong with the history; empty: nothing.
	check(groups map[string][]*operation, out string) []string
}

type worker struct {
	cluster *cluster
	history *history
	random  *rand.Rand
	number  int
	home    int // the node it talks to
	seen    map[string]cellValue
	sawMany map[string][cellsMax]cellValue
	limit   time.Time // nothing is begun after it; zero: none
	isLate  bool
}

var tags int64

// nextTag: no two writes of a run share one, so that whose value a read saw is plain.
func (w *worker) nextTag() int { return int(atomic.AddInt64(&tags, 1)) }

func (w *worker) get(home int, path string) answer {
	return w.cluster.caller.call(w.cluster.nodes[home], "GET", path, "", nil)
}

func (w *worker) write(method, path, body string, header map[string]string, isFinal bool) answer {
	return w.cluster.caller.write(w.random, w.cluster.nodes, w.home, method, path, body, header, isFinal)
}

// do puts an operation around a call. True: it was done.
func (w *worker) do(op *operation, home int, call func() answer) bool {
	if !w.limit.IsZero() && time.Now().After(w.limit) {
		w.isLate = true
		return false
	}
	op.Client, op.Node = w.number, w.cluster.nodes[home].name
	op.Call = w.history.now()
	a := call()
	op.Revision = 0
	if a.outcome == done && !op.isRead() {
		op.Revision = a.revision
	}
	if a.outcome == unknown || (a.outcome == failed && a.status != 503) {
		op.Note = fmt.Sprintf("%d %.120s", a.status, a.body)
	}
	w.history.record(op, a.outcome)
	if a.outcome == failed || a.outcome == unknown {
		time.Sleep(20 * time.Millisecond) // a node that is down answers at once
	}
	return a.outcome == done
}

// groupPool: a few groups in use; each makes place for a new one after so many picks.
type groupPool struct {
	mutex  sync.Mutex
	prefix string
	rounds int
	live   []string
	picks  []int
	names  []string // all that ever were
}

func newGroupPool(prefix string, live, rounds int) *groupPool {
	p := &groupPool{prefix: prefix, rounds: rounds, live: make([]string, live), picks: make([]int, live)}
	for i := range p.live {
		p.renew(i)
	}
	return p
}

func (p *groupPool) renew(i int) {
	p.live[i] = fmt.Sprintf("%s-%d", p.prefix, len(p.names))
	p.picks[i] = 0
	p.names = append(p.names, p.live[i])
}

func (p *groupPool) pick(random *rand.Rand) string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	i := random.Intn(len(p.live))
	if p.picks[i] >= p.rounds {
		p.renew(i)
	}
	p.picks[i]++
	return p.live[i]
}

func (p *groupPool) all() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([]string(nil), p.names...)
}

func (p *groupPool) current() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([]string(nil), p.live...)
}

// checkGroups asks porcupine about each group. What it cannot decide in time counts as wrong.
func checkGroups(groups map[string][]*operation, names []string, out string) []string {
	var wrong []string
	for _, name := range names {
		operations := groups[name]
		if len(operations) == 0 {
			continue
		}
		picture := filepath.Join(out, name+".html")
		result := checkGroup(operations, picture)
		if result == porcupine.Ok {
			continue
		}
		log := filepath.Join(out, name+".jsonl")
		if err := save(log, operations); err != nil {
			log = err.Error()
		}
		what := "is not linearizable"
		if result == porcupine.Unknown {
			what = fmt.Sprintf("could not be checked within %s", checkLimit)
		}
		wrong = append(wrong, fmt.Sprintf("%s %s: %s, %s", name, what, picture, log))
	}
	return wrong
}

// Workload churn: while the others run, leadership is transferred, a voter is
// made a stand-by and back, and a node is removed and joins anew with an empty
// directory. What was acknowledged must show: a removed id never comes back, a
// joined node is a member, and in the end all agree who leads.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	churnPause = 400 * time.Millisecond
	joinLimit  = 40 * time.Second
)

type churn struct {
	cluster *cluster
	random  *rand.Rand
	number  int // of the act: what is done besides transfers goes by it
	stop    chan struct{}
	once    sync.Once
	running sync.WaitGroup

	removed   map[string]bool // ids that shall never be seen again
	joins     *node           // is out, and has to come in again
	leaving   *node           // was asked to go, and nobody knows whether it will
	demoted   string
	transfers int
	did       []string
	wrong     []string
}

func newChurn(c *cluster, random *rand.Rand, number int) *churn {
	return &churn{cluster: c, random: random, number: number, stop: make(chan struct{}), removed: c.removed}
}

func (h *churn) name() string { return "churn" }

func (h *churn) start() {
	h.running.Add(1)
	go func() {
		defer h.running.Done()
		for turn := 0; ; turn++ {
			select {
			case <-h.stop:
				return
			case <-time.After(churnPause):
			}
			switch {
			case turn == 1 && h.number%3 == 1:
				h.demote()
			case turn == 3 && h.number%3 == 1:
				h.promote()
			case turn == 1 && h.number%3 == 2:
				h.replace()
			default:
				h.transfer()
			}
		}
	}()
}

// rest ends it; what it left half done is done.
func (h *churn) rest() {
	h.once.Do(func() { close(h.stop) })
	h.running.Wait()
}

func (h *churn) any() *node { return h.cluster.nodes[h.random.Intn(len(h.cluster.nodes))] }

// ask a node; "done" of the answer.
func (h *churn) ask(method, path, body string) (answer, bool) {
	a := h.cluster.caller.call(h.any(), method, path, body, nil)
	var said struct {
		Done bool `json:"done"`
	}
	return a, a.outcome == done && json.Unmarshal(a.body, &said) == nil && said.Done
}

func (h *churn) transfer() {
	to := h.any()
	if _, ok := h.ask("POST", "/v1/cluster/transfer", fmt.Sprintf(`{"to":%q}`, to.name)); ok {
		h.transfers++
	}
}

func (h *churn) demote() {
	name := h.any().name
	if a, _ := h.ask("PATCH", "/v1/cluster/members/"+name, `{"role":"standby"}`); a.outcome == done || a.outcome == unknown {
		h.demoted = name
		h.did = append(h.did, "demoted "+name)
	}
}

func (h *churn) promote() {
	if h.demoted == "" {
		return
	}
	if a, _ := h.ask("PATCH", "/v1/cluster/members/"+h.demoted, `{"role":"auto"}`); a.outcome == done {
		h.did = append(h.did, "promoted "+h.demoted)
		h.demoted = ""
	}
}

// replace removes a node for good, and lets the same host join with an empty directory.
func (h *churn) replace() {
	c := h.cluster
	c.processes.Lock()
	defer c.processes.Unlock()
	n := c.nodes[1+h.random.Intn(len(c.nodes)-1)] // the founder's directory holds our credentials
	id := ""
	for _, m := range c.members() {
		if m.Name == n.name {
			id = m.ID
		}
	}
	if id == "" || n.view != "" {
		return
	}
	h.leaving = n
	if until(6*time.Second, func() bool {
		h.ask("DELETE", "/v1/cluster/members/"+id, "")
		list := c.members()
		for _, m := range list {
			if m.ID == id {
				return false
			}
		}
		return list != nil
	}) != nil {
		return // it may yet go; nothing is promised of it
	}
	h.did = append(h.did, fmt.Sprintf("removed %s (%s)", n.name, id))
	h.removed[id], h.leaving = true, nil
	h.out(n)
	h.rejoin(5 * time.Second)
}

func (h *churn) out(n *node) {
	n.isOut = true
	n.kill()
	os.RemoveAll(n.data)
	h.joins = n
}

func (h *churn) rejoin(limit time.Duration) {
	n := h.joins
	if n == nil {
		return
	}
	err := until(limit, func() bool {
		a := h.cluster.caller.call(h.cluster.others(n)[h.random.Intn(len(h.cluster.nodes)-1)], "POST", "/v1/cluster/tokens",
			`{"uses":"1"}`, nil)
		var made struct {
			Token string `json:"token"`
		}
		if a.outcome != done || json.Unmarshal(a.body, &made) != nil {
			return false
		}
		file := filepath.Join(n.disk, "token")
		if os.WriteFile(file, []byte(made.Token+"\n"), 0600) != nil || h.cluster.own(file) != nil {
			return false
		}
		os.RemoveAll(n.data)
		// A join that was cut short may have made a member that nobody is.
		for _, m := range h.cluster.members() {
			if m.Name == n.name {
				h.removed[m.ID] = true
				h.ask("DELETE", "/v1/cluster/members/"+m.ID+"?force", "")
			}
		}
		return h.cluster.join(n, file, "3s") == nil
	})
	if err == nil {
		h.did = append(h.did, "joined "+n.name)
		h.joins = nil
	}
}

func (h *churn) isMember(n *node) bool {
	for _, m := range h.cluster.members() {
		if m.Name == n.name {
			return true
		}
	}
	return false
}

// finish completes the cluster, and looks whether it is as was acknowledged.
func (h *churn) finish() []string {
	c := h.cluster
	if h.joins != nil {
		name := h.joins.name
		if h.rejoin(joinLimit); h.joins != nil {
			h.wrong = append(h.wrong, fmt.Sprintf("%s could not join again within %s", name, joinLimit))
		}
	}
	if until(joinLimit, func() bool { h.promote(); return h.demoted == "" }) != nil {
		h.wrong = append(h.wrong, fmt.Sprintf("%s could not be promoted within %s", h.demoted, joinLimit))
	}
	if h.leaving != nil && !h.isMember(h.leaving) {
		h.out(h.leaving)
		h.rejoin(joinLimit)
	}
	var list []member
	until(joinLimit, func() bool { list = c.members(); return len(list) >= nodeCount })
	names := map[string]bool{}
	for _, m := range list {
		names[m.Name] = true
		if h.removed[m.ID] {
			h.wrong = append(h.wrong, fmt.Sprintf("node %s (%s) was removed, and is a member", m.ID, m.Name))
		}
	}
	for _, n := range c.nodes {
		if !names[n.name] {
			h.wrong = append(h.wrong, fmt.Sprintf("%s has joined, and is no member", n.name))
		}
	}
	return h.wrong
}

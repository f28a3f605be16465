// What the nodes say of themselves, over their status port and admin API.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

func (c *cluster) health(n *node, path string) (int, string) {
	response, err := c.plain.Get("http://" + n.health + path)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func (c *cluster) leads(n *node) bool {
	status, _ := c.health(n, "/readyz?leader")
	return status == 200
}

func (c *cluster) leader() *node {
	for _, n := range c.nodes {
		if c.leads(n) {
			return n
		}
	}
	return nil
}

// metric is one sample without labels, as text.
func metric(text, name string) string {
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, name+" ") {
			return strings.TrimSpace(line[len(name):])
		}
	}
	return ""
}

// digestOf: the digest of the replicated state and the index that it is of.
func (c *cluster) digestOf(n *node) string {
	_, text := c.health(n, "/metrics")
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "gw_state_digest") {
			return line
		}
	}
	return ""
}

func (c *cluster) isHalted(n *node) bool {
	_, text := c.health(n, "/metrics")
	return metric(text, "gw_member_halted") == "1"
}

type member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Role  string `json:"role"`
	State string `json:"state"`
}

// members, from any node that answers linearizably.
func (c *cluster) members() []member {
	for _, n := range c.nodes {
		a := c.caller.call(n, "GET", "/v1/cluster/members", "", nil)
		var list struct {
			Stale   bool     `json:"stale"`
			Members []member `json:"members"`
		}
		if a.outcome == done && json.Unmarshal(a.body, &list) == nil && !list.Stale {
			return list.Members
		}
	}
	return nil
}

const askAgain = 2 * time.Second

// waitVoters: who stands by is asked to vote. A removal that was given up half way, or that took
// effect after its caller had gone, leaves a node that is to stand by for good.
func (c *cluster) waitVoters(count int, limit time.Duration) error {
	var list []member
	have := 0
	asked := time.Time{}
	err := until(limit, func() bool {
		list, have = c.members(), 0
		isDue := time.Since(asked) > askAgain
		for _, m := range list {
			if m.Role == "voter" && (m.State == "leader" || m.State == "follower") {
				have++
			} else if m.Role == "standby" && isDue {
				c.caller.call(c.nodes[0], "PATCH", "/v1/cluster/members/"+m.ID, `{"role":"auto"}`, nil)
				asked = time.Now()
			}
		}
		return have == count
	})
	if err != nil {
		return fmt.Errorf("%d voters after %s, not %d: %w: %v", have, limit, count, err, list)
	}
	return nil
}

// converge waits until all nodes hold the same state.
func (c *cluster) converge(limit time.Duration) error {
	var digests []string
	err := until(limit, func() bool {
		digests = digests[:0]
		same := true
		first := ""
		for i, n := range c.nodes {
			digest := c.digestOf(n)
			digests = append(digests, n.name+": "+digest)
			if i == 0 {
				first = digest
			}
			same = same && digest != "" && digest == first
		}
		return same
	})
	if err != nil {
		return fmt.Errorf("the nodes do not agree %s after the fault: %s", limit, strings.Join(digests, "; "))
	}
	return nil
}

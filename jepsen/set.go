// Workload set: elements are added to an object by merge patches, which carry no
// revision: the leader merges each into what is there. Every element that was
// acknowledged must be in every later read, and no other but those of unknown
// outcome; one that was seen must stay.
package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

const (
	setsLive  = 2
	setRounds = 220 // 4 KiB of annotations hold some 300 elements
)

type set struct {
	pool *groupPool
}

func newSet(prefix string) *set {
	return &set{pool: newGroupPool(prefix+"-set", setsLive, setRounds)}
}

func (s *set) name() string { return "set" }

func (s *set) operate(w *worker) {
	group := s.pool.pick(w.random)
	if w.random.Intn(3) == 0 {
		s.read(w, group, w.home)
		return
	}
	tag := w.nextTag()
	op := &operation{Group: group, Kind: "add", Tag: tag, Effects: []effect{{Value: tag}}}
	made := false
	w.do(op, w.home, func() answer {
		a := w.write("PATCH", "/v1/resources/policy/"+group,
			fmt.Sprintf(`{"metadata":{"annotations":{"e%d":"1"}}}`, tag), nil, false)
		if a.outcome == refused && a.status == 404 {
			a.outcome = failed // it is not there yet
			made = true
		}
		return a
	})
	if made {
		body := fmt.Sprintf(`{"apiVersion":"gw/v1","kind":"Policy","metadata":{"name":"%s"},"spec":{}}`, group)
		w.write("PUT", "/v1/resources/policy/"+group, body, map[string]string{"If-None-Match": "*"}, false)
	}
}

func (s *set) read(w *worker, group string, home int) {
	op := &operation{Group: group, Kind: "read set"}
	w.do(op, home, func() answer {
		a := w.get(home, "/v1/resources/policy/"+group)
		var got object
		if a.outcome == done && json.Unmarshal(a.body, &got) == nil {
			for element := range elementsOf(&got) {
				op.Elements = append(op.Elements, element)
			}
			op.Saw[0].Revision = got.cell().Revision
		} else if a.outcome == refused && a.status == 404 {
			a.outcome = done
		} else if a.outcome == done {
			a.outcome = failed
		}
		return a
	})
}

func (s *set) settle(w *worker) {
	for _, group := range s.pool.all() {
		for home := range w.cluster.nodes {
			s.read(w, group, home)
		}
	}
}

// elementLife: when an element was first surely there, for any later read.
type elementLife struct {
	call    int64
	sure    int64 // when it was acknowledged, or seen by a read that had returned
	isSure  bool
	outcome outcome
}

func checkSet(operations []*operation) []string {
	lives := map[int]*elementLife{}
	for _, op := range operations {
		if !op.isRead() {
			lives[op.Tag] = &elementLife{call: op.Call, sure: op.Return, isSure: op.outcome == done, outcome: op.outcome}
		}
	}
	var wrong []string
	for _, op := range operations {
		if !op.isRead() || op.outcome != done {
			continue
		}
		for _, e := range op.Elements {
			life := lives[e]
			switch {
			case life == nil:
				wrong = append(wrong, fmt.Sprintf("%d was never added, and was seen at %s", e, op.Node))
			case life.outcome == failed || life.outcome == refused:
				wrong = append(wrong, fmt.Sprintf("%d was refused, and was seen at %s", e, op.Node))
			case op.Return < life.call:
				wrong = append(wrong, fmt.Sprintf("%d was seen at %s before it was added", e, op.Node))
			case !life.isSure || op.Return < life.sure:
				life.isSure, life.sure = true, op.Return
			}
		}
	}
	for _, op := range operations {
		if !op.isRead() || op.outcome != done {
			continue
		}
		has := map[int]bool{}
		for _, e := range op.Elements {
			has[e] = true
		}
		for e, life := range lives {
			if life.isSure && life.sure < op.Call && !has[e] {
				wrong = append(wrong, fmt.Sprintf("%d was there at %d ms and is not in a read at %s begun at %d ms", e,
					life.sure/1e6, op.Node, op.Call/1e6))
			}
		}
	}
	return wrong
}

func (s *set) check(groups map[string][]*operation, out string) []string {
	var wrong []string
	for _, name := range s.pool.all() {
		found := checkSet(groups[name])
		if len(found) == 0 {
			continue
		}
		log := filepath.Join(out, name+".jsonl")
		if err := save(log, groups[name]); err != nil {
			log = err.Error()
		}
		wrong = append(wrong, fmt.Sprintf("%s: %d faults, the first: %s: %s", name, len(found), found[0], log))
	}
	return wrong
}

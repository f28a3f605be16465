// What happened, as clients saw it.
//
// All workloads are written in one vocabulary: an operation reads or writes
// *cells* of a group, a cell being one object with a value, and every change
// having one revision. A register is a group of one cell, a bank one of four.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

const cellsMax = 4

// cellValue: what a cell holds. Present false: the object does not exist.
type cellValue struct {
	Present  bool   `json:"present"`
	Value    int    `json:"value"`
	Tag      int    `json:"tag"`      // of the write that made it: no two writes share one
	Revision uint64 `json:"revision"` // 0: not known
}

// condition of a write: cell I is at that revision; 0: it does not exist; anyRevision: it does.
type condition struct {
	Cell     int    `json:"cell"`
	Revision uint64 `json:"revision"`
}

const anyRevision = ^uint64(0)

type effect struct {
	Cell   int  `json:"cell"`
	Delete bool `json:"delete,omitempty"`
	Value  int  `json:"value"`
}

// operation on one group; a read has no effects.
type operation struct {
	Group      string      `json:"group"`
	Client     int         `json:"client"`
	Kind       string      `json:"kind"` // as said to a reader of the history
	Tag        int         `json:"tag"`
	Conditions []condition `json:"conditions,omitempty"`
	Effects    []effect    `json:"effects,omitempty"`

	Call     int64               `json:"call"` // nanoseconds of the run
	Return   int64               `json:"return"`
	Node     string              `json:"node"`
	Outcome  string              `json:"outcome"`
	Revision uint64              `json:"revision,omitempty"` // of a write that was done
	Saw      [cellsMax]cellValue `json:"saw"`                // by a read
	Elements []int               `json:"elements,omitempty"` // of a set, by a read
	Note     string              `json:"note,omitempty"`
	outcome  outcome
}

func (op *operation) isRead() bool { return len(op.Effects) == 0 }

func (op *operation) String() string {
	text := op.Kind
	for _, c := range op.Conditions {
		switch c.Revision {
		case anyRevision:
			text += fmt.Sprintf(" if %d is there", c.Cell)
		case 0:
			text += fmt.Sprintf(" if %d is absent", c.Cell)
		default:
			text += fmt.Sprintf(" if %d is at %d", c.Cell, c.Revision)
		}
	}
	for _, e := range op.Effects {
		if e.Delete {
			text += fmt.Sprintf(" delete %d", e.Cell)
		} else {
			text += fmt.Sprintf(" %d=%d", e.Cell, e.Value)
		}
	}
	text += " at " + op.Node + ": " + op.Outcome
	if op.Revision != 0 {
		text += fmt.Sprintf(" r%d", op.Revision)
	}
	if op.isRead() && op.outcome == done {
		var saw []string
		for _, v := range op.Saw {
			if v.Present {
				saw = append(saw, fmt.Sprintf("%d@r%d", v.Value, v.Revision))
			}
		}
		text += " {" + strings.Join(saw, " ") + "}"
	}
	return text
}

// history of one act. Time is that of the harness, monotonic, one clock for all clients.
type history struct {
	mutex      sync.Mutex
	operations []*operation
	began      time.Time
	ok         int // that came back done or refused
	perSecond  map[int]int
}

func newHistory() *history {
	return &history{began: time.Now(), perSecond: map[int]int{}}
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// record takes an operation when its outcome is known, or known to be unknown. Reads
// without an answer and writes surely not done say nothing, and are counted only.
func (h *history) record(op *operation, result outcome) {
	op.Return = h.now()
	op.outcome, op.Outcome = result, result.String()
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.operations = append(h.operations, op)
	if result == done || result == refused {
		h.ok++
		h.perSecond[int(op.Return/int64(time.Second))]++
	}
}

// outcomes, counted: a history in which nothing is unknown has seen no fault.
func (h *history) outcomes() string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var count [unknown + 1]int
	for _, op := range h.operations {
		count[op.outcome]++
	}
	return fmt.Sprintf("%d done, %d refused, %d failed, %d unknown", count[done], count[refused], count[failed], count[unknown])
}

func (h *history) count() int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.ok
}

// groups, each with its operations by time of call.
func (h *history) groups() map[string][]*operation {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	groups := map[string][]*operation{}
	for _, op := range h.operations {
		groups[op.Group] = append(groups[op.Group], op)
	}
	for _, list := range groups {
		sort.Slice(list, func(i, j int) bool { return list[i].Call < list[j].Call })
	}
	return groups
}

// save writes operations as JSON lines.
func save(path string, operations []*operation) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	for _, op := range operations {
		if err := encoder.Encode(op); err != nil {
			return err
		}
	}
	return nil
}

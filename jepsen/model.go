// What a group of cells may do, as a model for porcupine: a linearizable
// register with compare-and-set over several cells at once.
package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

type groupState struct {
	cells [cellsMax]cellValue
	floor uint64 // the greatest revision that is known to have passed
}

const checkLimit = 20 * time.Second

// holds: 1 yes, -1 no, 0 it cannot be said (a revision is not known).
func holds(cell cellValue, want uint64, floor uint64) int {
	switch {
	case want == 0 && cell.Present, want != 0 && !cell.Present:
		return -1
	case want == 0 || want == anyRevision:
		return 1
	case cell.Revision != 0 && cell.Revision == want:
		return 1
	case cell.Revision != 0:
		return -1
	case want <= floor:
		return -1 // it is newer than that
	}
	return 0
}

func apply(state groupState, op *operation, revision uint64) groupState {
	for _, e := range op.Effects {
		if e.Delete {
			state.cells[e.Cell] = cellValue{}
		} else {
			state.cells[e.Cell] = cellValue{Present: true, Value: e.Value, Tag: op.Tag, Revision: revision}
		}
	}
	if revision > state.floor {
		state.floor = revision
	}
	return state
}

// step says whether op can happen to the state with the outcome it had, and what
// comes of it. Of an unknown outcome it says that it took effect where its
// conditions hold: that it never did is the same as that it did after all others,
// and so free to choose, since it has no return.
func step(state groupState, op *operation) (bool, groupState) {
	if op.isRead() {
		for i, saw := range op.Saw {
			cell := &state.cells[i]
			if saw.Present != cell.Present {
				return false, state
			}
			if !saw.Present {
				continue
			}
			if saw.Tag != cell.Tag || saw.Value != cell.Value {
				return false, state
			}
			if cell.Revision == 0 {
				if saw.Revision <= state.floor {
					return false, state // revisions only ever rise
				}
				cell.Revision = saw.Revision
				state.floor = saw.Revision
			}
			if saw.Revision != cell.Revision {
				return false, state
			}
		}
		return true, state
	}

	all := 1 // the least of the conditions
	for _, c := range op.Conditions {
		if h := holds(state.cells[c.Cell], c.Revision, state.floor); h < all {
			all = h
		}
	}
	switch op.outcome {
	case done:
		if all < 0 || op.Revision <= state.floor {
			return false, state
		}
		return true, apply(state, op, op.Revision)
	case refused:
		return all <= 0 && len(op.Conditions) > 0, state
	}
	if all < 0 || (op.Revision != 0 && op.Revision <= state.floor) {
		return true, state
	}
	return true, apply(state, op, op.Revision)
}

// learn fills in the revisions of writes of unknown outcome that some read has seen.
func learn(operations []*operation) {
	seen := map[int]uint64{}
	for _, op := range operations {
		for _, v := range op.Saw {
			if v.Present {
				seen[v.Tag] = v.Revision
			}
		}
	}
	for _, op := range operations {
		if op.outcome == unknown && op.Revision == 0 {
			op.Revision = seen[op.Tag]
		}
	}
}

func describeState(state groupState) string {
	var cells []string
	for _, c := range state.cells {
		if c.Present {
			cells = append(cells, fmt.Sprintf("%d@r%d", c.Value, c.Revision))
		} else {
			cells = append(cells, "-")
		}
	}
	return strings.Join(cells, " ")
}

var groupModel = porcupine.Model{
	Init: func() interface{} { return groupState{} },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		ok, next := step(state.(groupState), input.(*operation))
		return ok, next
	},
	DescribeOperation: func(input, output interface{}) string { return input.(*operation).String() },
	DescribeState:     func(state interface{}) string { return describeState(state.(groupState)) },
}

// porcupineHistory leaves out what has no bearing, and gives unknown ones no end.
func porcupineHistory(operations []*operation) []porcupine.Operation {
	end := int64(0)
	for _, op := range operations {
		if op.Return > end {
			end = op.Return
		}
	}
	var list []porcupine.Operation
	for _, op := range operations {
		if op.outcome == failed || (op.isRead() && op.outcome != done) {
			continue
		}
		back := op.Return
		if op.outcome == unknown {
			back = end + 1
		}
		list = append(list, porcupine.Operation{ClientId: op.Client, Input: op, Output: op, Call: op.Call, Return: back})
	}
	return list
}

// checkGroup: what porcupine says, and a picture of it where it is not fine.
func checkGroup(operations []*operation, picture string) porcupine.CheckResult {
	learn(operations)
	list := porcupineHistory(operations)
	if result := porcupine.CheckOperationsTimeout(groupModel, list, checkLimit); result == porcupine.Ok {
		return result
	}
	result, info := porcupine.CheckOperationsVerbose(groupModel, list, checkLimit)
	if err := porcupine.VisualizePath(groupModel, info, picture); err != nil {
		fmt.Println("jepsen: no picture:", err)
	}
	return result
}

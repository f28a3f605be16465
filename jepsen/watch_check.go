// What a watch was told, against what clients were told.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func writeFile(path string, bytes []byte) {
	if err := os.WriteFile(path, bytes, 0644); err != nil {
		fmt.Println("jepsen:", err)
	}
}

// elementsOf a set: annotations "e17".
func elementsOf(o *object) map[int]bool {
	elements := map[int]bool{}
	for name := range o.Metadata.Annotations {
		if element, err := strconv.Atoi(strings.TrimPrefix(name, "e")); err == nil {
			elements[element] = true
		}
	}
	return elements
}

// objectOf: the name of the object that a cell of a group is.
func objectOf(group string, cell int) string {
	if strings.Contains(group, "-bank-") {
		return account(group, cell)
	}
	return group
}

// checkSegment: every write acknowledged within it was told, with its value; nothing was told
// of a write that was refused.
func checkSegment(s *segment, groups map[string][]*operation) []string {
	told := map[uint64][]*watchEvent{}
	for i := range s.Events {
		e := &s.Events[i]
		if e.Revision <= s.Whole {
			told[e.Revision] = append(told[e.Revision], e)
		}
	}
	wrong := map[string]bool{}
	never := map[int]bool{} // tags of writes that were not done
	for _, operations := range groups {
		for _, op := range operations {
			if op.isRead() {
				continue
			}
			if op.outcome == failed || op.outcome == refused {
				never[op.Tag] = true
			}
			if op.outcome != done || op.Revision <= s.From || op.Revision > s.Whole {
				continue
			}
			if fault := checkTold(told[op.Revision], op); fault != "" {
				wrong[fmt.Sprintf("%s: %s of %s: %s", s.Node, op, op.Group, fault)] = true
			}
		}
	}
	for i := range s.Events {
		e := &s.Events[i]
		if e.Tag != 0 && never[e.Tag] {
			wrong[fmt.Sprintf("%s: revision %d tells of a write that was refused: %s, %d", s.Node, e.Revision, e.Name, e.Tag)] = true
		}
	}
	var list []string
	for line := range wrong {
		list = append(list, line)
	}
	return list
}

func checkTold(events []*watchEvent, op *operation) string {
	for _, effect := range op.Effects {
		name := objectOf(op.Group, effect.Cell)
		var told *watchEvent
		for _, e := range events {
			if e.Name == name {
				told = e
			}
		}
		switch {
		case told == nil:
			return fmt.Sprintf("revision %d was passed without a word on %s", op.Revision, name)
		case (told.Action == "deleted") != effect.Delete:
			return fmt.Sprintf("revision %d said of %s: %s", op.Revision, name, told.Action)
		case op.Kind == "add" && !told.elements[op.Tag]:
			return fmt.Sprintf("revision %d showed %s without what was added", op.Revision, name)
		case op.Kind != "add" && !effect.Delete && told.Tag != op.Tag:
			return fmt.Sprintf("revision %d showed %s with the value of another write", op.Revision, name)
		}
	}
	return ""
}

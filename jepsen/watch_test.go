package main

import (
	"fmt"
	"testing"
)

// told builds what the server sends for one event.
func told(revision uint64, name, action string, tag int) string {
	resource := "null"
	if action != "deleted" {
		resource = fmt.Sprintf(`{"metadata":{"name":%q,"annotations":{"v":"%d","t":"%d"},"revision":"%d"}}`, name, tag, tag, revision)
	}
	return fmt.Sprintf(`{"revision":"%d","action":%q,"kind":"Policy","name":%q,"resource":%s}`, revision, action, name, resource)
}

func TestWatch(t *testing.T) {
	write := put(1, 2, 7, 11)
	remove := at(3, 4, operation{Kind: "delete", Tag: 8, Revision: 12, Effects: []effect{{Delete: true}}}, done)
	refusal := cas(5, 6, 9, 3, 0, refused)
	groups := map[string][]*operation{"g": {write, remove, refusal}}
	for _, story := range []struct {
		name   string
		faults int
		events [][2]string // data and id
	}{
		{"all told", 0, [][2]string{{told(11, "g", "created", 7), "11"}, {told(12, "g", "deleted", 0), "12"}}},
		{"of others too", 0, [][2]string{{told(11, "g", "created", 7), "11"}, {told(12, "g", "deleted", 0), "12"}, {"", "15"}}},
		{"not come so far", 0, [][2]string{{told(11, "g", "created", 7), "11"}}},
		{"a gap", 1, [][2]string{{told(12, "g", "deleted", 0), "12"}}},
		{"passed by", 1, [][2]string{{told(11, "g", "created", 7), "11"}, {"", "12"}}},
		{"told twice", 1, [][2]string{{told(11, "g", "created", 7), "11"}, {told(11, "g", "created", 7), "11"}}},
		{"twice in one revision", 1, [][2]string{{told(11, "g", "created", 7), ""}, {told(11, "g", "created", 7), "11"}}},
		{"in the wrong order", 1, [][2]string{{told(12, "g", "deleted", 0), "12"}, {told(11, "g", "created", 7), "13"}}},
		{"another value", 1, [][2]string{{told(11, "g", "created", 6), "11"}}},
		{"not deleted", 1, [][2]string{{told(11, "g", "created", 7), "11"}, {told(12, "g", "changed", 8), "12"}}},
		{"a write that was refused", 1, [][2]string{{told(11, "g", "created", 7), "11"}, {told(12, "g", "deleted", 0), "12"},
			{told(13, "g", "created", 9), "13"}}},
	} {
		s := &segment{Node: "eu-1", From: 10, Whole: 10}
		for _, e := range story.events {
			s.take(e[0], e[1])
		}
		if got := append(s.wrong, checkSegment(s, groups)...); len(got) != story.faults {
			t.Errorf("%s: %d faults, not %d: %v", story.name, len(got), story.faults, got)
		}
	}
}

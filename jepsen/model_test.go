// The checkers are checked: hand-made histories, good and bad.
package main

import (
	"path/filepath"
	"testing"

	"github.com/anishathalye/porcupine"
)

// at builds an operation that ran from call to back.
func at(call, back int64, op operation, result outcome) *operation {
	op.Group, op.Call, op.Return, op.outcome = "g", call, back, result
	return &op
}

func put(call, back int64, tag int, revision uint64) *operation {
	return at(call, back, operation{Kind: "put", Tag: tag, Revision: revision, Effects: []effect{{Value: tag}}}, done)
}

func lost(call, back int64, tag int) *operation {
	return at(call, back, operation{Kind: "put", Tag: tag, Effects: []effect{{Value: tag}}}, unknown)
}

func cas(call, back int64, tag int, want, revision uint64, result outcome) *operation {
	return at(call, back, operation{Kind: "cas", Tag: tag, Revision: revision, Effects: []effect{{Value: tag}},
		Conditions: []condition{{Revision: want}}}, result)
}

func create(call, back int64, tag int, revision uint64, result outcome) *operation {
	return cas(call, back, tag, 0, revision, result)
}

func get(call, back int64, tag int, revision uint64) *operation {
	op := operation{Kind: "read"}
	if tag != 0 {
		op.Saw[0] = cellValue{Present: true, Value: tag, Tag: tag, Revision: revision}
	}
	return at(call, back, op, done)
}

func TestGroupModel(t *testing.T) {
	for _, story := range []struct {
		name       string
		good       bool
		operations []*operation
	}{
		{"nothing is there at first", true, []*operation{get(1, 2, 0, 0)}},
		{"a read sees what was written", true, []*operation{put(1, 2, 1, 10), get(3, 4, 1, 10)}},
		{"a read sees nothing after a write", false, []*operation{put(1, 2, 1, 10), get(3, 4, 0, 0)}},
		{"a stale read", false, []*operation{put(1, 2, 1, 10), put(3, 4, 2, 11), get(5, 6, 1, 10)}},
		{"a read beside a write sees either", true, []*operation{put(1, 2, 1, 10), put(3, 6, 2, 11), get(4, 5, 1, 10)}},
		{"reads that go back", false, []*operation{put(1, 2, 1, 10), put(3, 9, 2, 11), get(4, 5, 2, 11), get(6, 7, 1, 10)}},
		{"a write is lost", false, []*operation{put(1, 2, 1, 10), put(3, 4, 2, 11), get(5, 6, 1, 10), get(7, 8, 1, 10)}},
		{"a value from nowhere", false, []*operation{put(1, 2, 1, 10), get(3, 4, 7, 12)}},
		{"a read with another revision", false, []*operation{put(1, 2, 1, 10), get(3, 4, 1, 11)}},
		{"revisions that fall", false, []*operation{put(1, 2, 1, 10), put(3, 4, 2, 9)}},
		{"an unknown write is seen", true, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), get(5, 6, 2, 12)}},
		{"an unknown write is never seen", true, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), get(5, 6, 1, 10)}},
		{"an unknown write is seen late", true, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), get(5, 6, 1, 10), get(7, 8, 2, 12)}},
		{"an unknown write is undone", false, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), get(5, 6, 2, 12), get(7, 8, 1, 10)}},
		{"it takes effect twice", false, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), get(5, 6, 2, 12),
			put(7, 8, 3, 13), get(9, 10, 2, 14)}},
		{"a write at its revision", true, []*operation{put(1, 2, 1, 10), cas(3, 4, 2, 10, 11, done)}},
		{"a write at another revision", false, []*operation{put(1, 2, 1, 10), put(3, 4, 2, 11), cas(5, 6, 3, 10, 12, done)}},
		{"two at the same revision", false, []*operation{put(1, 2, 1, 10), cas(3, 6, 2, 10, 11, done), cas(4, 7, 3, 10, 12, done)}},
		{"a refusal of the past", true, []*operation{put(1, 2, 1, 10), put(3, 4, 2, 11), cas(5, 6, 3, 10, 0, refused)}},
		{"a refusal without a reason", false, []*operation{put(1, 2, 1, 10), cas(5, 6, 3, 10, 0, refused)}},
		{"a refusal by an unknown write", true, []*operation{put(1, 2, 1, 10), lost(3, 4, 2), cas(5, 6, 3, 10, 0, refused)}},
		{"made where nothing is", true, []*operation{create(1, 2, 1, 10, done), create(3, 4, 2, 0, refused)}},
		{"made where something is", false, []*operation{create(1, 2, 1, 10, done), create(3, 4, 2, 11, done)}},
		{"a read of what was refused", false, []*operation{put(1, 2, 1, 10), cas(3, 4, 2, 9, 0, refused), get(5, 6, 2, 11)}},
	} {
		picture := filepath.Join(t.TempDir(), "picture.html")
		if got := checkGroup(story.operations, picture) == porcupine.Ok; got != story.good {
			t.Errorf("%s: judged good %v", story.name, got)
		}
	}
}

func TestTransactions(t *testing.T) {
	two := func(call, back int64, tag int, revision uint64, conditions ...condition) *operation {
		return at(call, back, operation{Kind: "transfer", Tag: tag, Revision: revision, Conditions: conditions,
			Effects: []effect{{Cell: 0, Value: tag}, {Cell: 1, Value: -tag}}}, done)
	}
	both := func(call, back int64, first, second cellValue) *operation {
		op := operation{Kind: "read all"}
		op.Saw[0], op.Saw[1] = first, second
		return at(call, back, op, done)
	}
	old := [2]cellValue{{true, 1, 1, 10}, {true, -1, 1, 10}}
	new := [2]cellValue{{true, 2, 2, 11}, {true, -2, 2, 11}}
	picture := filepath.Join(t.TempDir(), "picture.html")
	whole := []*operation{two(1, 2, 1, 10), two(3, 6, 2, 11, condition{0, 10}), both(4, 5, old[0], old[1]), both(7, 8, new[0], new[1])}
	if checkGroup(whole, picture) != porcupine.Ok {
		t.Error("a whole change is judged bad")
	}
	half := []*operation{two(1, 2, 1, 10), two(3, 6, 2, 11, condition{0, 10}), both(4, 5, new[0], old[1])}
	if checkGroup(half, picture) == porcupine.Ok {
		t.Error("half of a change is judged good")
	}
	skew := []*operation{two(1, 2, 1, 10), two(3, 4, 2, 11), two(5, 6, 3, 12, condition{1, 10})}
	if checkGroup(skew, picture) == porcupine.Ok {
		t.Error("a change that rests on the past is judged good")
	}
}

func TestSet(t *testing.T) {
	add := func(call, back int64, tag int, result outcome) *operation {
		return at(call, back, operation{Tag: tag, Effects: []effect{{Value: tag}}}, result)
	}
	read := func(call, back int64, elements ...int) *operation {
		return at(call, back, operation{Elements: elements}, done)
	}
	for _, story := range []struct {
		name       string
		faults     int
		operations []*operation
	}{
		{"all there", 0, []*operation{add(1, 2, 1, done), add(1, 3, 2, done), read(4, 5, 1, 2)}},
		{"one lost", 1, []*operation{add(1, 2, 1, done), add(1, 3, 2, done), read(4, 5, 1)}},
		{"unknown, there", 0, []*operation{add(1, 2, 1, unknown), read(4, 5, 1)}},
		{"unknown, absent", 0, []*operation{add(1, 2, 1, unknown), read(4, 5)}},
		{"unknown, seen, gone", 1, []*operation{add(1, 2, 1, unknown), read(4, 5, 1), read(6, 7)}},
		{"failed and there", 1, []*operation{add(1, 2, 1, failed), read(4, 5, 1)}},
		{"from nowhere", 1, []*operation{read(4, 5, 1)}},
		{"beside the add", 0, []*operation{add(1, 6, 1, done), read(2, 3), read(4, 5, 1)}},
		{"seen beside the add, then not", 1, []*operation{add(1, 9, 1, done), read(2, 3, 1), read(4, 5)}},
	} {
		if got := len(checkSet(story.operations)); got != story.faults {
			t.Errorf("%s: %d faults, not %d", story.name, got, story.faults)
		}
	}
}

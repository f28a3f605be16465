// Workload watch: at every node one client follows all changes (GET /v1/watch,
// server-sent events), comes back with Last-Event-ID when its stream ends, and
// must be told of every revision once, in order, whole, with what was written.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	watchCatchUp = 30 * time.Second
	watchPause   = 100 * time.Millisecond // before a stream is opened again
)

// watchEvent: what one event said.
type watchEvent struct {
	Revision uint64 `json:"revision"`
	Name     string `json:"name"`
	Action   string `json:"action"`
	Tag      int    `json:"tag,omitempty"`
	elements map[int]bool
}

// segment of a watch, without a gap: from a revision (not told of) to another. The history that
// a node keeps is bounded; who was away for longer than that begins another segment.
type segment struct {
	Node   string       `json:"node"`
	From   uint64       `json:"from"`
	Whole  uint64       `json:"whole"` // revisions up to this one were told whole
	Events []watchEvent `json:"events"`
	opened int
	wrong  []string
}

type watcher struct {
	cluster  *cluster
	node     *node
	mutex    sync.Mutex
	segments []*segment
}

type watch struct {
	cluster  *cluster
	watchers []*watcher
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

func newWatch(c *cluster) *watch { return &watch{cluster: c} }

func (w *watch) name() string { return "watch" }

func (w *watch) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for _, n := range w.cluster.nodes {
		one := &watcher{cluster: w.cluster, node: n}
		w.watchers = append(w.watchers, one)
		w.running.Add(1)
		go func() {
			defer w.running.Done()
			for ctx.Err() == nil {
				one.follow(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(watchPause):
				}
			}
		}()
	}
}

// summary, for people.
func (w *watch) summary() string {
	events, streams, segments := 0, 0, 0
	for _, one := range w.watchers {
		segments += len(one.segments)
		for _, s := range one.segments {
			events += len(s.Events)
			streams += s.opened
		}
	}
	return fmt.Sprintf("%d watches of %d events by %d streams", segments, events, streams)
}

// begin opens a segment at the newest revision.
func (w *watcher) begin() *segment {
	a := w.cluster.caller.call(w.node, "GET", "/v1/resources/policy?limit=1", "", nil)
	var list struct {
		Revision string `json:"revision"`
	}
	if a.outcome != done || json.Unmarshal(a.body, &list) != nil {
		return nil
	}
	from, err := strconv.ParseUint(list.Revision, 10, 64)
	if err != nil {
		return nil
	}
	s := &segment{Node: w.node.name, From: from, Whole: from}
	w.mutex.Lock()
	w.segments = append(w.segments, s)
	w.mutex.Unlock()
	return s
}

func (w *watcher) current() *segment {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(w.segments) == 0 {
		return nil
	}
	return w.segments[len(w.segments)-1]
}

// follow opens the stream once, and reads until it ends.
func (w *watcher) follow(ctx context.Context) {
	s := w.current()
	if s == nil {
		if s = w.begin(); s == nil {
			return
		}
	}
	path := fmt.Sprintf("https://%s/v1/watch?kind=policy&since=%d", w.node.admin, s.From)
	request, err := http.NewRequestWithContext(ctx, "GET", path, nil)
	if err != nil {
		return
	}
	if s.Whole > s.From {
		request.Header.Set("Last-Event-ID", strconv.FormatUint(s.Whole, 10))
	}
	response, err := w.cluster.caller.pools[w.node.name].Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusGone {
		w.begin() // it was away for too long
		return
	}
	if response.StatusCode != http.StatusOK {
		return
	}
	w.mutex.Lock()
	s.opened++
	// A revision of which only a part was told is told again from its beginning.
	for len(s.Events) > 0 && s.Events[len(s.Events)-1].Revision > s.Whole {
		s.Events = s.Events[:len(s.Events)-1]
	}
	w.mutex.Unlock()
	w.read(s, bufio.NewReaderSize(response.Body, 1<<16))
}

func (w *watcher) read(s *segment, stream *bufio.Reader) {
	var data, id string
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case strings.HasPrefix(line, "id: "):
			id = line[len("id: "):]
		case line == "":
			w.mutex.Lock()
			s.take(data, id)
			w.mutex.Unlock()
			data, id = "", ""
		}
	}
}

// take an event: its data, and the id that says that its revision is told whole.
func (s *segment) take(data, id string) {
	if data != "" {
		var got struct {
			Revision string  `json:"revision"`
			Action   string  `json:"action"`
			Name     string  `json:"name"`
			Resource *object `json:"resource"`
		}
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			s.fault("an event does not parse: %v", err)
			return
		}
		e := watchEvent{Name: got.Name, Action: got.Action}
		e.Revision, _ = strconv.ParseUint(got.Revision, 10, 64)
		if got.Resource != nil {
			cell := got.Resource.cell()
			e.Tag = cell.Tag
			if cell.Revision != e.Revision {
				s.fault("the event of revision %d shows %s at %d", e.Revision, e.Name, cell.Revision)
			}
			e.elements = elementsOf(got.Resource)
		}
		switch last := len(s.Events) - 1; {
		case e.Revision <= s.Whole:
			s.fault("revision %d (%s) comes after %d was told whole", e.Revision, e.Name, s.Whole)
		case last >= 0 && s.Events[last].Revision > e.Revision:
			s.fault("revision %d comes after %d", e.Revision, s.Events[last].Revision)
		default:
			for i := last; i >= 0 && s.Events[i].Revision == e.Revision; i-- {
				if s.Events[i].Name == e.Name {
					s.fault("revision %d tells of %s twice", e.Revision, e.Name)
				}
			}
		}
		s.Events = append(s.Events, e)
	}
	if id != "" {
		whole, err := strconv.ParseUint(id, 10, 64)
		if err != nil || whole < s.Whole {
			s.fault("the id '%s' comes after %d", id, s.Whole)
			return
		}
		s.Whole = whole
	}
}

func (s *segment) fault(format string, arguments ...interface{}) {
	s.wrong = append(s.wrong, s.Node+": "+fmt.Sprintf(format, arguments...))
}

// finish waits until every watch has come to the last write that was acknowledged.
func (w *watch) finish(groups map[string][]*operation, out string) []string {
	newest := uint64(0)
	for _, operations := range groups {
		for _, op := range operations {
			if op.outcome == done && op.Revision > newest {
				newest = op.Revision
			}
		}
	}
	var wrong []string
	for _, one := range w.watchers {
		whole := uint64(0)
		if err := until(watchCatchUp, func() bool {
			s := one.current()
			one.mutex.Lock()
			defer one.mutex.Unlock()
			if s != nil {
				whole = s.Whole
			}
			return whole >= newest
		}); err != nil {
			wrong = append(wrong, fmt.Sprintf("the watch at %s stands at revision %d, and %d was acknowledged", one.node.name,
				whole, newest))
		}
	}
	w.cancel()
	w.running.Wait()
	for _, one := range w.watchers {
		for i, s := range one.segments {
			found := append(s.wrong, checkSegment(s, groups)...)
			if len(found) == 0 {
				continue
			}
			wrong = append(wrong, found...)
			if file, err := json.Marshal(s); err == nil {
				writeFile(filepath.Join(out, fmt.Sprintf("watch-%s-%d.json", one.node.name, i)), file)
			}
		}
	}
	return wrong
}

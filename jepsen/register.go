// Workload register: objects of one value each, read, written, written only at a
// revision (If-Match), created (If-None-Match: *) and deleted.
package main

import (
	"encoding/json"
	"fmt"

	"strconv"
)

const (
	registersLive  = 6
	registerRounds = 150 // operations on one; then another takes its place, so that the search stays short
)

// object as the admin API gives it.
type object struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
		Revision    string            `json:"revision"`
	} `json:"metadata"`
}

// cell reads a value out of an object: annotations "v" and "t".
func (o *object) cell() cellValue {
	value, _ := strconv.Atoi(o.Metadata.Annotations["v"])
	tag, _ := strconv.Atoi(o.Metadata.Annotations["t"])
	revision, _ := strconv.ParseUint(o.Metadata.Revision, 10, 64)
	return cellValue{Present: true, Value: value, Tag: tag, Revision: revision}
}

// policyOf: the cheapest object there is. No route uses it, so nothing but agreement is measured.
func policyOf(name, group string, value, tag int) string {
	return fmt.Sprintf(`{"apiVersion":"gw/v1","kind":"Policy","metadata":{"name":"%s","labels":{"group":"%s"},`+
		`"annotations":{"v":"%d","t":"%d"}},"spec":{}}`, name, group, value, tag)
}

type register struct {
	pool *groupPool
}

func newRegister(prefix string) *register {
	return &register{pool: newGroupPool(prefix+"-reg", registersLive, registerRounds)}
}

func (r *register) name() string { return "register" }

func (r *register) operate(w *worker) {
	group := r.pool.pick(w.random)
	switch chance := w.random.Intn(100); {
	case chance < 45:
		r.read(w, group, w.home)
	case chance < 65:
		r.change(w, &operation{Group: group, Kind: "put", Effects: []effect{{}}}, nil)
	case chance < 90:
		// At the revision last seen, or at one seen just now.
		seen, ok := w.seen[group]
		if !ok || w.random.Intn(2) == 0 {
			seen, ok = r.read(w, group, w.home)
		}
		if !ok || !seen.Present {
			return
		}
		r.change(w, &operation{Group: group, Kind: "cas", Effects: []effect{{}},
			Conditions: []condition{{Revision: seen.Revision}}},
			map[string]string{"If-Match": fmt.Sprintf(`"%d"`, seen.Revision)})
	case chance < 95:
		r.change(w, &operation{Group: group, Kind: "create", Effects: []effect{{}},
			Conditions: []condition{{Revision: 0}}}, map[string]string{"If-None-Match": "*"})
	default:
		r.change(w, &operation{Group: group, Kind: "delete", Effects: []effect{{Delete: true}},
			Conditions: []condition{{Revision: anyRevision}}}, nil)
	}
}

func (r *register) read(w *worker, group string, home int) (cellValue, bool) {
	op := &operation{Group: group, Kind: "read"}
	var saw cellValue
	ok := w.do(op, home, func() answer {
		a := w.get(home, "/v1/resources/policy/"+group)
		if a.outcome == refused && a.status == 404 {
			a.outcome = done
			return a
		}
		var got object
		if a.outcome == done && json.Unmarshal(a.body, &got) == nil {
			saw = got.cell()
			op.Saw[0] = saw
		} else if a.outcome == done {
			a.outcome = failed
		}
		return a
	})
	if ok {
		w.seen[group] = saw
	}
	return saw, ok
}

func (r *register) change(w *worker, op *operation, header map[string]string) {
	op.Tag = w.nextTag()
	method, body := "DELETE", ""
	if !op.Effects[0].Delete {
		op.Effects[0].Value = op.Tag
		method, body = "PUT", policyOf(op.Group, op.Group, op.Tag, op.Tag)
	}
	w.do(op, w.home, func() answer {
		a := w.write(method, "/v1/resources/policy/"+op.Group, body, header, op.Kind == "cas")
		if a.outcome == done && a.revision == 0 {
			a.revision = revisionOf(a.body)
		}
		return a
	})
}

// settle reads what is there in the end, at every node.
func (r *register) settle(w *worker) {
	for _, group := range r.pool.all() {
		r.read(w, group, w.random.Intn(len(w.cluster.nodes)))
	}
	for _, group := range r.pool.current() {
		for home := range w.cluster.nodes {
			r.read(w, group, home)
		}
	}
}

func (r *register) check(h map[string][]*operation, out string) []string {
	return checkGroups(h, r.pool.all(), out)
}

func revisionOf(body []byte) uint64 {
	var applied struct {
		Revision string `json:"revision"`
	}
	if json.Unmarshal(body, &applied) != nil {
		return 0
	}
	revision, _ := strconv.ParseUint(applied.Revision, 10, 64)
	return revision
}

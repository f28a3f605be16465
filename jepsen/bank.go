// Workload bank: transactions over several objects. Four accounts; a transfer
// reads all, then changes two of them by one POST /v1/apply whose preconditions
// name those two, and at times a third that it only rests on. A list shows all
// four as of one moment: the sum never changes, and the whole is linearizable.
package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	banksLive    = 3
	bankRounds   = 120
	bankEach     = 100
	bankAccounts = cellsMax
)

type bank struct {
	pool *groupPool
}

func newBank(prefix string) *bank {
	return &bank{pool: newGroupPool(prefix+"-bank", banksLive, bankRounds)}
}

func (b *bank) name() string { return "bank" }

func account(group string, i int) string { return fmt.Sprintf("%s-%d", group, i) }

func (b *bank) operate(w *worker) {
	group := b.pool.pick(w.random)
	saw, ok := w.sawMany[group]
	if !ok || w.random.Intn(3) > 0 {
		if saw, ok = b.read(w, group, w.home); !ok {
			return
		}
	}
	if !saw[0].Present {
		b.open(w, group)
		return
	}
	if w.random.Intn(5) > 1 {
		b.transfer(w, group, saw)
	}
}

// open makes all four accounts at once. Many may try; one succeeds.
func (b *bank) open(w *worker, group string) {
	op := &operation{Group: group, Kind: "open", Tag: w.nextTag()}
	for i := 0; i < bankAccounts; i++ {
		op.Effects = append(op.Effects, effect{Cell: i, Value: bankEach})
		op.Conditions = append(op.Conditions, condition{Cell: i, Revision: 0})
	}
	b.apply(w, op)
}

func (b *bank) transfer(w *worker, group string, saw [cellsMax]cellValue) {
	order := w.random.Perm(bankAccounts)
	from, to := order[0], order[1]
	amount := 1 + w.random.Intn(30)
	if saw[from].Value < amount {
		return
	}
	op := &operation{Group: group, Kind: "transfer", Tag: w.nextTag(),
		Effects:    []effect{{Cell: from, Value: saw[from].Value - amount}, {Cell: to, Value: saw[to].Value + amount}},
		Conditions: []condition{{from, saw[from].Revision}, {to, saw[to].Revision}}}
	if w.random.Intn(3) == 0 {
		op.Conditions = append(op.Conditions, condition{order[2], saw[order[2]].Revision})
	}
	b.apply(w, op)
}

func (b *bank) apply(w *worker, op *operation) {
	var objects, conditions []string
	for _, e := range op.Effects {
		objects = append(objects, policyOf(account(op.Group, e.Cell), op.Group, e.Value, op.Tag))
	}
	for _, c := range op.Conditions {
		conditions = append(conditions, fmt.Sprintf(`{"kind":"Policy","name":"%s","revision":"%d"}`,
			account(op.Group, c.Cell), c.Revision))
	}
	body := fmt.Sprintf(`{"objects":[%s],"preconditions":[%s]}`, strings.Join(objects, ","), strings.Join(conditions, ","))
	w.do(op, w.home, func() answer { return w.write("POST", "/v1/apply", body, nil, op.Kind == "transfer") })
}

func (b *bank) read(w *worker, group string, home int) ([cellsMax]cellValue, bool) {
	op := &operation{Group: group, Kind: "read all"}
	ok := w.do(op, home, func() answer {
		a := w.get(home, "/v1/resources/policy?selector=group="+group)
		var list struct {
			Items []object `json:"items"`
		}
		if a.outcome != done {
			return a
		}
		if json.Unmarshal(a.body, &list) != nil {
			a.outcome = failed
			return a
		}
		for i := range list.Items {
			for k := 0; k < bankAccounts; k++ {
				if list.Items[i].Metadata.Name == account(group, k) {
					op.Saw[k] = list.Items[i].cell()
				}
			}
		}
		return a
	})
	if ok {
		w.sawMany[group] = op.Saw
	}
	return op.Saw, ok
}

func (b *bank) settle(w *worker) {
	for _, group := range b.pool.all() {
		b.read(w, group, w.random.Intn(len(w.cluster.nodes)))
	}
	for _, group := range b.pool.current() {
		for home := range w.cluster.nodes {
			b.read(w, group, home)
		}
	}
}

func (b *bank) check(groups map[string][]*operation, out string) []string {
	var wrong []string
	for _, name := range b.pool.all() {
		for _, op := range groups[name] {
			if !op.isRead() || op.outcome != done {
				continue
			}
			sum, have := 0, 0
			for _, v := range op.Saw {
				sum += v.Value
				if v.Present {
					have++
				}
			}
			if (have != 0 && have != bankAccounts) || (have != 0 && sum != bankEach*bankAccounts) {
				wrong = append(wrong, fmt.Sprintf("%s: %d accounts hold %d: half of a change was seen: %s", name, have, sum, op))
			}
		}
	}
	return append(wrong, checkGroups(groups, b.pool.all(), out)...)
}

// Command jepsen runs real gwd processes in network namespaces, lets clients
// work on them while something is broken on purpose, and checks what the
// clients saw.
//
// One cluster serves a whole run. A run is a list of acts, one for each
// nemesis; in an act all workloads run at once while that nemesis is at work.
// So an act gives a cell for each workload: every pair is met, at the price
// that a failed cell's act has to be read as a whole.
//
// It runs twice: the outer process (outer.go) makes the lab and takes it down
// again whatever happens; the inner one, started inside the lab's client host,
// does the work.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

type options struct {
	bin, tools string
	root, out  string
	image      string
	lab        string
	inside     bool
	nemeses    string
	workers    int
	seed       int64
	pace       time.Duration // of one fault
	minutes    int
	plant      string
	list       bool
}

func parseOptions() *options {
	o := &options{}
	flag.StringVar(&o.bin, "bin", "build/release/bin", "directory of gwd and gwctl")
	flag.StringVar(&o.tools, "tools", "build/release/tests/lab", "directory of the lab's programs")
	flag.StringVar(&o.root, "root", ".", "the repository")
	flag.StringVar(&o.out, "out", "build/results/jepsen", "where histories, logs and pictures go")
	flag.StringVar(&o.image, "image", "", "run the nodes in containers of this image (docker), instead of -bin")
	flag.StringVar(&o.nemeses, "nemeses", "", "which, with commas; default: all")
	flag.IntVar(&o.workers, "workers", 30, "clients, spread over the nodes")
	flag.Int64Var(&o.seed, "seed", 0, "of what clients and nemeses choose; 0: by the clock")
	flag.DurationVar(&o.pace, "pace", 1200*time.Millisecond, "how long one fault lasts")
	flag.IntVar(&o.minutes, "minutes", 0, "go through all nemeses again until so long has passed")
	flag.StringVar(&o.plant, "plant", "", "a planted bug; it is expected to be caught")
	flag.StringVar(&o.lab, "lab", "", "name of the lab (inner process)")
	flag.BoolVar(&o.inside, "inside", false, "this is the inner process")
	flag.BoolVar(&o.list, "list", false, "list the nemeses and end")
	flag.Parse()
	if o.seed == 0 {
		o.seed = time.Now().UnixNano() % 1000000
	}
	return o
}

func main() {
	o := parseOptions()
	if o.list {
		for _, n := range allNemeses() {
			fmt.Println(n.name)
		}
		return
	}
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "jepsen: '%s' is not understood; see -help\n", strings.Join(flag.Args(), " "))
		os.Exit(2)
	}
	if o.inside {
		os.Exit(inner(o))
	}
	os.Exit(outer(o))
}

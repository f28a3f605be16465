// The nodes: real gwd processes, each in a network namespace and on a small
// file system of its own. Processes are ended by the pid they were started
// with, and die with the harness.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	nodeCount   = 5
	diskSize    = "192M"
	healthLimit = 2 * time.Second
	killAgain   = 300 * time.Millisecond
)

type node struct {
	host, name, region string // n1, eu-1, eu
	address            string
	admin, health      string // host:port, reached from the clients' host
	disk, data         string
	isOut              bool   // no member just now, with nothing to start from
	view               string // where its data directory is seen just now; empty: at data
	log                *os.File
	container          string // its name, where it runs in one

	mutex   sync.Mutex
	process *exec.Cmd     // nil: not running
	ended   chan struct{} // closed when the process is gone
	environ []string      // more of it, as LD_PRELOAD
}

type cluster struct {
	o      *options
	nodes  []*node
	caller *caller
	plain  *http.Client // for health
	token  string

	isPlanted bool            // from now on nodes start with the bug
	processes sync.Mutex      // held by who ends and starts processes, or empties directories
	removed   map[string]bool // ids of members that were removed
}

var regionNames = []string{"", "eu", "us", "ap"}

func newCluster(o *options) (*cluster, error) {
	c := &cluster{o: o, plain: &http.Client{Timeout: healthLimit}, removed: map[string]bool{}}
	said, err := o.labCommand("hosts").Output()
	if err != nil {
		return nil, fmt.Errorf("list the lab's hosts: %w", err)
	}
	scanner := bufio.NewScanner(strings.NewReader(string(said)))
	for scanner.Scan() {
		var host, address string
		var region int
		fmt.Sscan(scanner.Text(), &host, &region, &address)
		if !strings.HasPrefix(host, "n") || region >= len(regionNames) {
			continue
		}
		n := &node{host: host, region: regionNames[region], address: address,
			admin: address + ":7001", health: address + ":7002"}
		n.name = n.region + "-" + host[1:]
		if o.image != "" {
			n.container = o.containerOf(host, "gwd")
		}
		if n.log, err = os.Create(filepath.Join(o.out, n.name+".log")); err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	if len(c.nodes) != nodeCount {
		return nil, fmt.Errorf("the lab has %d nodes, not %d", len(c.nodes), nodeCount)
	}
	return c, nil
}

// prepare gives a node its disk. A kill -9 loses nothing of it, as with any disk.
func (c *cluster) prepare(n *node) error {
	said, err := c.o.labCommand("disk", n.host, diskSize).Output()
	if err != nil {
		return fmt.Errorf("a disk for %s: %w", n.name, err)
	}
	n.disk = strings.TrimSpace(string(said))
	n.data = filepath.Join(n.disk, "data")
	return c.own(n.disk)
}

// inside: a program of the product on the node's host.
func (c *cluster) inside(n *node, program string, arguments ...string) *exec.Cmd {
	all := append([]string{"--net=/run/netns/" + c.o.lab + "-" + n.host, "--", filepath.Join(c.o.bin, program)}, arguments...)
	command := exec.Command("nsenter", all...)
	if c.o.image != "" {
		command = c.o.container(n.host, program, arguments...)
	}
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command
}

func (n *node) options() []string {
	return []string{"--data-dir", n.data, "--name", n.name, "--region", n.region,
		"--peer", n.address + ":7000", "--peer-listen", n.address + ":7000",
		"--admin", n.admin, "--health", n.health}
}

func (c *cluster) gwctl(n *node, arguments ...string) error {
	command := c.inside(n, "gwctl", arguments...)
	said, err := command.CombinedOutput()
	fmt.Fprintf(n.log, "gwctl %s: %v\n%s", strings.Join(arguments, " "), err, said)
	if err != nil {
		return fmt.Errorf("gwctl %s at %s: %w", strings.Join(arguments[:2], " "), n.name, err)
	}
	return nil
}

// adapt its settings: by default only loopback may read metrics, and we come over the lab's wire.
func (n *node) adapt() error {
	path := filepath.Join(n.data, "gwd.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	was := fmt.Sprintf("listen: %q}", n.health)
	changed := strings.Replace(string(text), was, fmt.Sprintf(`listen: %q, metricsFrom: ["198.18.0.0/15"]}`, n.health), 1)
	// Drained in no time, since nobody but us uses it; and its disk is small.
	changed += "drain: {delay: 200ms, wait: 2s}\nstore: {minFree: 16MiB}\n"
	return os.WriteFile(path, []byte(changed), 0644)
}

// start runs gwd. It ends by stop or kill alone; watchdog tells of any other end.
func (c *cluster) start(n *node) error {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process != nil || n.isOut {
		return nil
	}
	data := n.data
	if n.view != "" {
		data = n.view
	}
	command := c.inside(n, "gwd", "--data-dir", data)
	command.Stdout, command.Stderr = n.log, n.log
	command.Env = append(os.Environ(), n.environ...)
	if c.isPlanted {
		command.Env = append(command.Env, "GW_PLANT="+c.o.plant)
	}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	n.process, n.ended = command, ended
	go func() {
		command.Wait()
		close(ended)
	}()
	return nil
}

func (n *node) signal(number syscall.Signal) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process == nil {
		return
	}
	if n.container != "" {
		signalContainer(n.container, number)
	} else {
		n.process.Process.Signal(number)
	}
}

// kill ends it as a power cut would, and waits until it is gone. A container that is only
// about to start is told again.
func (n *node) kill() {
	for n.signal(syscall.SIGKILL); !n.endsWithin(killAgain); n.signal(syscall.SIGKILL) {
	}
	n.gone()
}

// endsWithin: it has ended, or does before so long has passed.
func (n *node) endsWithin(limit time.Duration) bool {
	n.mutex.Lock()
	ended, isRunning := n.ended, n.process != nil
	n.mutex.Unlock()
	if !isRunning {
		return true
	}
	select {
	case <-ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// stop asks it to drain, and ends it where it takes too long.
func (n *node) stop(limit time.Duration) {
	n.signal(syscall.SIGTERM)
	n.endsWithin(limit)
	n.kill()
}

func (n *node) gone() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process != nil {
		<-n.ended
	}
	n.process = nil
}

// hasEnded: it was started, and is gone without having been asked.
func (n *node) hasEnded() bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process == nil {
		return false
	}
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

func (n *node) pid() int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process == nil {
		return 0
	}
	return n.process.Process.Pid
}

// found makes the cluster: the first node founds it, the others join.
func (c *cluster) found() error {
	for _, n := range c.nodes {
		if err := c.prepare(n); err != nil {
			return err
		}
	}
	first := c.nodes[0]
	c.token = filepath.Join(first.disk, "token")
	arguments := append([]string{"cluster", "init", "--cluster", "jepsen", "--token-out", c.token}, first.options()...)
	if err := c.gwctl(first, arguments...); err != nil {
		return err
	}
	if err := first.adapt(); err != nil {
		return err
	}
	if err := c.start(first); err != nil {
		return err
	}
	for _, n := range c.nodes[1:] {
		if err := c.join(n, c.token, "30s"); err != nil {
			return err
		}
	}
	var err error
	if c.caller, err = newCaller(filepath.Join(first.data, "admin.yaml"), c.nodes); err != nil {
		return err
	}
	return c.waitVoters(nodeCount, 60*time.Second)
}

// plant starts all nodes anew with the bug: it is to be found by clients, not by the founding.
func (c *cluster) plant() error {
	c.isPlanted = true
	for _, n := range c.nodes {
		n.kill()
	}
	if err := startAll(c, c.nodes); err != nil {
		return err
	}
	return c.waitLeader()
}

func (c *cluster) join(n *node, token, wait string) error {
	arguments := append([]string{"cluster", "join", "--token-file", token, "--wait", wait}, n.options()...)
	if err := c.gwctl(n, arguments...); err != nil {
		return err
	}
	if err := n.adapt(); err != nil {
		return err
	}
	n.isOut = false
	return c.start(n)
}

func (c *cluster) close() {
	for _, n := range c.nodes {
		n.signal(syscall.SIGCONT)
		n.kill()
		n.log.Close()
	}
}

var errLimit = errors.New("it did not come about in time")

// until waits for a condition, looked at 20 times a second.
func until(limit time.Duration, condition func() bool) error {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if condition() {
			return nil
		}
		if time.Now().After(end) {
			return errLimit
		}
	}
}

func (c *cluster) others(but ...*node) []*node {
	var list []*node
	for _, n := range c.nodes {
		skip := false
		for _, b := range but {
			skip = skip || b == n
		}
		if !skip {
			list = append(list, n)
		}
	}
	return list
}

// shuffled nodes, the leader first where one is known.
func (c *cluster) shuffled(random *rand.Rand) []*node {
	list := append([]*node(nil), c.nodes...)
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for i, n := range list {
		if c.leads(n) {
			list[0], list[i] = list[i], list[0]
			break
		}
	}
	return list
}

func hostsOf(list []*node) string {
	var names []string
	for _, n := range list {
		names = append(names, n.host)
	}
	return strings.Join(names, ",")
}

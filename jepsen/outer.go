// The outer process: makes the lab, starts the inner one inside of it, and
// takes everything down again, however the inner one ends.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

const labRoot = "/run/quorumgate-lab"

const labShape = "2,2,1" // hosts per region: five nodes in three regions

func (o *options) labCommand(arguments ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(o.root, "tests/lab/lab.sh"), append([]string{"-l", o.lab}, arguments...)...)
	command.Env = append(os.Environ(), "GW_LINK="+filepath.Join(o.tools, "link"))
	return command
}

func outer(o *options) int {
	for _, path := range []*string{&o.bin, &o.tools, &o.root, &o.out} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "jepsen:", err)
			return 1
		}
		*path = absolute
	}
	if err := os.MkdirAll(o.out, 0755); err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return 1
	}
	o.lab = labOf(os.Getpid())
	can := o.labCommand("can")
	if o.image != "" {
		can = exec.Command("docker", "image", "inspect", "-f", "", o.image)
	}
	if why, err := can.CombinedOutput(); err != nil {
		fmt.Printf("skip jepsen: %s", why)
		return 0
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	sweep(o)
	defer takeDown(o)
	up := func() ([]byte, error) { return o.labCommand("up", labShape).CombinedOutput() }
	if o.image != "" {
		up = o.containersUp
	}
	if said, err := up(); err != nil {
		fmt.Printf("not ok jepsen: the lab is not up: %v: %s\n", err, said)
		return 1
	}
	return runInner(o, signals)
}

// labOf a process: six letters at most, another one for each run at the same time, and it says
// whose it is.
func labOf(pid int) string { return "j" + strconv.FormatInt(int64(pid), 36) }

// sweep takes down what runs that were killed have left behind.
func sweep(o *options) {
	left, _ := filepath.Glob(filepath.Join(labRoot, "j*"))
	for _, path := range left {
		name := filepath.Base(path)
		pid, err := strconv.ParseInt(name[1:], 36, 32)
		if err != nil || labOf(int(pid)) != name || syscall.Kill(int(pid), 0) == nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "jepsen: lab %s was left by process %d, which is gone: it is taken down\n", name, pid)
		other := *o
		other.lab = name
		takeDown(&other)
	}
}

func takeDown(o *options) {
	containersDown(o.lab)
	unmountAll(filepath.Join(labRoot, o.lab))
	if said, err := o.labCommand("down").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "jepsen: the lab %s is not taken down: %s\n", o.lab, said)
	}
}

func runInner(o *options, signals <-chan os.Signal) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return 1
	}
	arguments := []string{"--net=/run/netns/" + o.lab + "-c1", "--", self}
	if o.image != "" {
		arguments = arguments[1:] // the host itself stands beside the containers
	}
	arguments = append(arguments, "-inside", "-lab", o.lab, "-image", o.image, "-bin", o.bin, "-tools", o.tools, "-root", o.root, "-out", o.out, "-nemeses", o.nemeses,
		"-workers", strconv.Itoa(o.workers), "-seed", strconv.FormatInt(o.seed, 10), "-pace", o.pace.String(),
		"-minutes", strconv.Itoa(o.minutes), "-plant", o.plant)
	inner := exec.Command("nsenter", arguments...)
	inner.Stdout, inner.Stderr = os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := inner.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "jepsen:", err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- inner.Wait() }()
	select {
	case err = <-ended:
	case number := <-signals:
		fmt.Fprintf(os.Stderr, "jepsen: %s: taking the lab down\n", number)
		syscall.Kill(-inner.Process.Pid, syscall.SIGKILL)
		<-ended
		return 130
	}
	if err != nil {
		if code := inner.ProcessState.ExitCode(); code > 0 {
			return code
		}
		fmt.Println("not ok jepsen: the inner process ended:", err)
		return 1
	}
	return 0
}

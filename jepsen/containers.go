// Nodes in containers. Each has a network namespace that outlives its gwd, held by a container
// that does nothing, so that addresses and partitions stay when gwd is killed and started anew;
// gwd and gwctl run in containers of their own inside of it, hardened as docker-compose.yml has
// them. Disks are the lab's, seen under the same paths.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	imageUser      = 10001 // of deploy/Dockerfile
	containerLabel = "quorumgate-lab"
	firstSubnet    = 128 // 198.18.128.0/24 and up: the lab's own are below
	subnets        = 100
)

func (o *options) containerOf(host, program string) string {
	return "gw-" + o.lab + "-" + host + "-" + program
}

// container runs a program of the image on a host, for as long as the command does.
func (o *options) container(host, program string, arguments ...string) *exec.Cmd {
	disks := filepath.Join(labRoot, o.lab, "disk")
	all := []string{"run", "--rm", "--name", o.containerOf(host, program), "--label", containerLabel + "=" + o.lab,
		"--network", "container:" + o.containerOf(host, "net"), "--volume", disks + ":" + disks,
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", o.image, program}
	return exec.Command("docker", append(all, arguments...)...)
}

func signalContainer(name string, number syscall.Signal) {
	exec.Command("docker", "kill", "--signal", strconv.Itoa(int(number)), name).Run()
}

// own gives a file to whom gwd runs as.
func (c *cluster) own(path string) error {
	if c.o.image == "" {
		return nil
	}
	return os.Chown(path, imageUser, imageUser)
}

// containersUp makes the network and the hosts on it, and gives them to the lab.
func (o *options) containersUp() ([]byte, error) {
	var said []byte
	var err error
	subnet := 0
	for try := 0; try < subnets; try++ { // one that nobody has
		subnet = firstSubnet + (os.Getpid()+try)%subnets
		said, err = exec.Command("docker", "network", "create", "--internal", "--label", containerLabel+"="+o.lab,
			"--subnet", fmt.Sprintf("198.18.%d.0/24", subnet), "gw-"+o.lab).CombinedOutput()
		if err == nil || !strings.Contains(string(said), "overlap") {
			break
		}
	}
	if err != nil {
		return said, err
	}
	adopt := []string{"adopt"}
	host := 0
	for region, count := range strings.Split(labShape, ",") {
		hosts, _ := strconv.Atoi(count)
		for i := 0; i < hosts; i++ {
			host++
			name, address := "n"+strconv.Itoa(host), net.IPv4(198, 18, byte(subnet), byte(10+host)).String()
			said, err = exec.Command("docker", "run", "--detach", "--name", o.containerOf(name, "net"), "--label",
				containerLabel+"="+o.lab, "--network", "gw-"+o.lab, "--ip", address, "--read-only", "--cap-drop", "ALL",
				"--security-opt", "no-new-privileges:true", o.image, "sleep", "infinity").CombinedOutput()
			if err != nil {
				return said, err
			}
			said, err = exec.Command("docker", "inspect", "-f", "{{.State.Pid}}", o.containerOf(name, "net")).CombinedOutput()
			if err != nil {
				return said, err
			}
			adopt = append(adopt, fmt.Sprintf("%s=%d,%s,%s", name, region+1, address, strings.TrimSpace(string(said))))
		}
	}
	return o.labCommand(adopt...).CombinedOutput()
}

// containersDown removes what a lab has in the engine, by label: also what a run that was killed left.
func containersDown(lab string) {
	if _, err := exec.LookPath("docker"); err != nil {
		return
	}
	filter := "label=" + containerLabel + "=" + lab
	if left, err := exec.Command("docker", "ps", "-aq", "--filter", filter).Output(); err == nil && len(left) > 0 {
		exec.Command("docker", append([]string{"rm", "-f"}, strings.Fields(string(left))...)...).Run()
	}
	if left, err := exec.Command("docker", "network", "ls", "-q", "--filter", filter).Output(); err == nil && len(left) > 0 {
		exec.Command("docker", append([]string{"network", "rm"}, strings.Fields(string(left))...)...).Run()
	}
}

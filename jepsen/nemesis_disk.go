// Nemeses of the disk.
package main

import (
	"os"
	"strings"
	"syscall"
)

func diskNemeses() []*nemesis { return nil }

// unmountAll takes away what is mounted below a directory, deepest first.
func unmountAll(below string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		fields := strings.Fields(lines[i])
		if len(fields) > 4 && strings.HasPrefix(fields[4], below+"/") {
			syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
}

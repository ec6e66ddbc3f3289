// Pause holds a pod's namespaces, and is the first process of a test node: it does nothing, buries
// the processes that others leave behind, and ends when it is told to.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 16)
	signal.Notify(told, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	for sign := range told {
		if sign != syscall.SIGCHLD {
			return
		}
		for {
			child, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if child <= 0 || err != nil {
				break
			}
		}
	}
}

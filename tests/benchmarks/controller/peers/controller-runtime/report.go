package main

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

var output sync.Mutex

// report writes one line of the contenders' protocol: an event, the wall clock in nanoseconds, and what else there is.
func report(event string, more map[string]any) {
	line := map[string]any{"event": event, "at": time.Now().UnixNano()}
	for key, value := range more {
		line[key] = value
	}
	output.Lock()
	defer output.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		panic(err) // nobody would learn what was measured
	}
}

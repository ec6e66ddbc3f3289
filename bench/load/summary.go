package main

import (
	"slices"
	"strconv"
	"syscall"
)

// summarise adds up what the connections saw. Percentiles are by nearest rank over every counted
// answer, of whatever status.
func summarise(seen []counts, seconds float64) result {
	out := result{
		Seconds:   seconds,
		Statuses:  map[string]int{},
		Errors:    map[string]int{},
		LatencyUs: map[string]float64{},
	}
	var all []uint32
	for _, one := range seen {
		for status, n := range one.statuses {
			out.Statuses[strconv.Itoa(status)] += n
			out.Requests += n
		}
		for what, n := range one.errors {
			out.Errors[what] += n
		}
		out.BodyBytes += one.bytes
		all = append(all, one.latencies...)
	}
	out.PerSecond = float64(out.Requests) / seconds
	slices.Sort(all)
	for name, share := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1} {
		out.LatencyUs[name] = percentile(all, share)
	}
	return out
}

// percentile by nearest rank, in microseconds; sorted values are tenths of them.
func percentile(sorted []uint32, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(share*float64(len(sorted)) + 0.999999)
	return float64(sorted[max(rank, 1)-1]) / 10
}

// cpuSeconds is what this process has used so far: the load tool's own cost, to be seen beside.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

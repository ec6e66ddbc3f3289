package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// plan is what every connection does.
type plan struct {
	address string
	tls     *tls.Config
	request []byte
	until   time.Time
	from    time.Time // answers before this instant warm up and are not counted
}

// counts is what one connection saw. Latencies are in microseconds from the first byte written to
// the last byte read.
type counts struct {
	statuses  map[int]int
	errors    map[string]int
	latencies []uint32
	bytes     int
}

type result struct {
	Seconds    float64            `json:"seconds"`
	Requests   int                `json:"requests"`
	PerSecond  float64            `json:"per_second"`
	Statuses   map[string]int     `json:"statuses"`
	Errors     map[string]int     `json:"errors"`
	BodyBytes  int                `json:"body_bytes"`
	LatencyUs  map[string]float64 `json:"latency_us"`
	CPUSeconds float64            `json:"cpu_seconds"`
}

type headerFlags []string

func (h *headerFlags) String() string     { return strings.Join(*h, ", ") }
func (h *headerFlags) Set(v string) error { *h = append(*h, v); return nil }

func run(arguments []string) error {
	var headers headerFlags
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	address := flags.String("address", "", "host:port to connect to")
	host := flags.String("host", "localhost", "Host header and TLS server name")
	method := flags.String("method", "POST", "request method")
	path := flags.String("path", "/", "request path")
	bodyFile := flags.String("body", "", "file with the request body")
	caFile := flags.String("ca", "", "PEM file of the authority behind the server; empty: no TLS")
	connections := flags.Int("connections", 16, "connections, each with one request at a time")
	seconds := flags.Float64("seconds", 5, "how long to count")
	warmup := flags.Float64("warmup", 1, "how long to send before counting")
	flags.Var(&headers, "header", "`name: value`, repeatable")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	body, err := readAll(*bodyFile)
	if err != nil {
		return err
	}
	what := plan{address: *address, request: render(*method, *path, *host, headers, body)}
	if *caFile != "" {
		if what.tls, err = trust(*caFile, *host); err != nil {
			return err
		}
	}
	what.from = time.Now().Add(duration(*warmup))
	what.until = what.from.Add(duration(*seconds))
	seen := make([]counts, *connections)
	cpu := make(chan float64, 1)
	go func() { time.Sleep(time.Until(what.from)); cpu <- cpuSeconds() }()
	var all sync.WaitGroup
	for i := range seen {
		all.Add(1)
		go func(into *counts) { defer all.Done(); loop(what, into) }(&seen[i])
	}
	all.Wait()
	took := time.Since(what.from).Seconds()
	report := summarise(seen, took)
	report.CPUSeconds = cpuSeconds() - <-cpu
	return json.NewEncoder(os.Stdout).Encode(report)
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func render(method, path, host string, headers []string, body []byte) []byte {
	out := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nhost: %s\r\n", method, path, host)
	for _, header := range headers {
		out = fmt.Appendf(out, "%s\r\n", header)
	}
	if body != nil {
		out = fmt.Appendf(out, "content-length: %d\r\n", len(body))
	}
	return append(append(out, "\r\n"...), body...)
}

func trust(file, name string) (*tls.Config, error) {
	pem, err := readAll(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + file)
	}
	return &tls.Config{RootCAs: pool, ServerName: name, NextProtos: []string{"http/1.1"}}, nil
}

// loop keeps one connection busy; a connection that breaks is counted and replaced.
func loop(what plan, into *counts) {
	into.statuses, into.errors = map[int]int{}, map[string]int{}
	into.latencies = make([]uint32, 0, 1<<16)
	for time.Now().Before(what.until) {
		if err := drive(what, into); err != nil {
			into.errors[kind(err)]++
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func drive(what plan, into *counts) error {
	connection, err := dial(what)
	if err != nil {
		return err
	}
	defer connection.Close()
	in := bufio.NewReaderSize(connection, 64*1024)
	scratch := make([]byte, 0, 256)
	for {
		began := time.Now()
		if !began.Before(what.until) {
			return nil
		}
		_ = connection.SetDeadline(began.Add(30 * time.Second))
		if _, err = connection.Write(what.request); err != nil {
			return err
		}
		answer, err := readHead(in, scratch)
		if err != nil {
			return err
		}
		size, err := skipBody(in, answer)
		if err != nil {
			return err
		}
		if err = into.add(what, answer, size, began); err != nil {
			return err
		}
		if answer.close {
			return nil
		}
	}
}

func (c *counts) add(what plan, answer head, size int, began time.Time) error {
	now := time.Now()
	if now.Before(what.from) || now.After(what.until) {
		return nil
	}
	// "HTTP/1.1 200 OK"
	if len(answer.first) < 12 {
		return errors.New("a status line that is none")
	}
	status, err := strconv.Atoi(string(answer.first[9:12]))
	if err != nil {
		return err
	}
	c.statuses[status]++
	c.bytes += size
	c.latencies = append(c.latencies, uint32(now.Sub(began).Nanoseconds()/100)) // tenths of a µs
	return nil
}

func dial(what plan) (net.Conn, error) {
	connection, err := net.DialTimeout("tcp", what.address, 5*time.Second)
	if err != nil || what.tls == nil {
		return connection, err
	}
	secure := tls.Client(connection, what.tls)
	_ = secure.SetDeadline(time.Now().Add(10 * time.Second))
	if err = secure.Handshake(); err != nil {
		connection.Close()
		return nil, err
	}
	return secure, nil
}

func kind(err error) string {
	var network *net.OpError
	if errors.As(err, &network) {
		return network.Op
	}
	return err.Error()
}

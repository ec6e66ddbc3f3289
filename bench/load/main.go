// Load tool of the benchmarks: one binary, two commands, no dependencies.
//
//	load run    a closed loop: N connections, each sends the next request when the answer is there
//	load serve  a backend that answers every request with the same bytes
//
// Both speak just enough HTTP/1.1 (keep-alive, Content-Length and chunked bodies) to cost little
// themselves, so that what is measured is what stands between them. Results are one JSON object on
// standard output. Nothing is retried and nothing is left out: an answer of any status and a broken
// connection are counted as what they are.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: load run|serve [flags]")
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Args[2:])
	case "serve":
		err = serve(os.Args[2:])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// A message head: its first line, and how its body ends.
type head struct {
	first   []byte
	length  int
	chunked bool
	close   bool
}

var errLength = errors.New("a Content-Length that is no number")

// readHead reads up to the empty line. The returned first line is valid until the next read.
func readHead(in *bufio.Reader, scratch []byte) (head, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return head{}, err
	}
	found := head{first: append(scratch[:0], trim(line)...)}
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return found, err
		}
		line = trim(line)
		if len(line) == 0 {
			return found, nil
		}
		if err = found.take(line); err != nil {
			return found, err
		}
	}
}

func (h *head) take(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		length, err := strconv.Atoi(string(value))
		if err != nil || length < 0 {
			return errLength
		}
		h.length = length
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		h.chunked = true
	case bytes.EqualFold(name, []byte("connection")):
		h.close = bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// skipBody reads over the body and returns how many bytes it had.
func skipBody(in *bufio.Reader, h head) (int, error) {
	if !h.chunked {
		_, err := in.Discard(h.length)
		return h.length, err
	}
	total := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		size, err := strconv.ParseInt(string(trim(line)), 16, 32)
		if err != nil {
			return total, err
		}
		if _, err = in.Discard(int(size)); err != nil {
			return total, err
		}
		if line, err = in.ReadSlice('\n'); err != nil {
			return total, err
		}
		total += int(size)
		if size == 0 {
			return total, nil
		}
	}
}

func trim(line []byte) []byte { return bytes.TrimRight(line, "\r\n") }

func readAll(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

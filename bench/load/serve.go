package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
)

// serve answers every request with 200 and the same JSON body, until standard input ends.
// It prints its port first, as one line.
func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	file := flags.String("body", "", "file with the body of every answer")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	body, err := readAll(*file)
	if err != nil {
		return err
	}
	answer := fmt.Appendf(nil,
		"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", len(body))
	answer = append(answer, body...)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		// The parent holds our standard input: when it is gone, so are we.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go answerAll(connection, answer)
	}
}

func answerAll(connection net.Conn, answer []byte) {
	defer connection.Close()
	in := bufio.NewReaderSize(connection, 64*1024)
	scratch := make([]byte, 0, 256)
	for {
		request, err := readHead(in, scratch)
		if err != nil {
			return
		}
		if _, err = skipBody(in, request); err != nil {
			return
		}
		if _, err = connection.Write(answer); err != nil || request.close {
			return
		}
	}
}

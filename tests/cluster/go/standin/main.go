// Standin answers like a model server and models nothing: a stand-in for tests of what stands before it.
//
// It speaks KServe V1 and V2 and OpenAI's chat completions, always with the same score, and says in
// headers which pod and version answered. ?delay=3s makes it slow. When it is told to end it first
// fails its readiness, goes on answering for DRAIN (default 3s), then finishes what is open.
//
// PORT (default 8080), MODEL_VERSION (default 1), POD_NAME, DRAIN.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const score = 0.5

type object = map[string]any

type server struct {
	version, pod string
	draining     atomic.Bool
}

func main() {
	drain, err := time.ParseDuration(or("DRAIN", "3s"))
	if err != nil {
		log.Fatalf("DRAIN: %v", err)
	}
	answering := &server{version: or("MODEL_VERSION", "1"), pod: os.Getenv("POD_NAME")}
	served := &http.Server{Addr: ":" + or("PORT", "8080"), Handler: answering, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
		<-told
		answering.draining.Store(true)
		time.Sleep(drain)
		if err := served.Shutdown(context.Background()); err != nil {
			log.Print(err)
		}
	}()
	if err := served.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		if s.draining.Load() && r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		return
	}
	if delay, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("content-type", "application/json")
	w.Header().Set("x-model-version", s.version)
	w.Header().Set("x-pod", s.pod)
	if err := json.NewEncoder(w).Encode(s.answer(r, body)); err != nil {
		log.Print(err)
	}
}

func (s *server) answer(r *http.Request, body []byte) object {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/v2/models/"):
		return object{
			"model_name":    strings.Split(path, "/")[3],
			"model_version": s.version,
			"outputs":       []object{{"name": "score", "datatype": "FP64", "shape": []int{1}, "data": []float64{score}}},
		}
	case strings.HasPrefix(path, "/v1/models/"):
		return object{"predictions": []float64{score}}
	case strings.HasSuffix(path, "/chat/completions"):
		return object{
			"id": "chatcmpl-standin", "object": "chat.completion", "created": 0, "model": s.version,
			"choices": []object{{
				"index": 0, "finish_reason": "stop",
				"message": object{"role": "assistant", "content": "This is a stand-in."},
			}},
			"usage": object{"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13},
		}
	default:
		return object{"method": r.Method, "path": path, "headers": r.Header, "bytes": len(body), "version": s.version}
	}
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

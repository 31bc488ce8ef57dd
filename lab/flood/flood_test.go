package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// However many frames a link brings, what status and the Status page need is
// bounded. "make flood" does it for longer.
func TestFlood(t *testing.T) {
	program := filepath.Join(t.TempDir(), "connsync")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "connsync/cmd/connsync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const frames = 200_000 // how long they take is the host's
	figures, err := flood(t.Context(), options{program: program, lasts: 5 * time.Minute, rate: 50_000, frames: frames, every: time.Second, out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if figures.frames != frames {
		t.Errorf("%d frames were sent, want %d", figures.frames, frames)
	}
	if err := figures.flat(); err != nil {
		t.Error(err)
	}
}

// What grows is told.
func TestFlat(t *testing.T) {
	even := sample{resident: 20 << 10, descriptors: 11, threads: 9}
	grown := func(change func(*sample)) []sample {
		last := even
		change(&last)
		return []sample{even, even, last}
	}
	for name, test := range map[string]struct {
		samples []sample
		flat    bool
	}{
		"even":        {[]sample{even, even, even}, true},
		"memory":      {grown(func(s *sample) { s.resident = residentMost + 1 }), false},
		"descriptors": {grown(func(s *sample) { s.descriptors += 3 }), false},
		"threads":     {grown(func(s *sample) { s.threads = moreThreads + 1 }), false},
		"one look":    {[]sample{even}, false},
	} {
		err := (&figures{watched: []*watched{{name: "it", samples: test.samples}}}).flat()
		if (err == nil) != test.flat {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package coverage

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"
)

// benchEntries are a busy firewall's.
const benchEntries = 200_000

// busyDaemon is a daemon whose kernel and cache have that many entries.
func busyDaemon(b *testing.B) daemon {
	b.Helper()
	d := startDaemon(b, "HashLimit 524288\nHashSize 65536\nNetlinkBufferSize 33554432\nNetlinkBufferSizeMaxGrowth 67108864\n")
	commands := make([]string, benchEntries)
	for i := range commands {
		commands[i] = fmt.Sprintf("-I -p tcp -s 10.%d.%d.2 -d 10.200.0.2 --sport %d --dport 80 --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 6000", i/50000, i/256%200, 1024+i%50000)
	}
	load(b, d.ns, commands...)
	if err := d.client.ResyncKernel(b.Context()); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		cache, err := d.client.Cache(b.Context())
		if err == nil && cache.Internal >= benchEntries {
			return d
		}
		if time.Now().After(deadline) {
			b.Fatalf("the cache has %d entries (%v)", cache.Internal, err)
		}
	}
}

// BenchmarkLook is a look at 200,000 connections, beside conntrack -L and conntrackd -i: as
// a ratio to the time of conntrack -L, and the heap that it needs at most. The ratio is
// above 1, since conntrackd writes its cache in about the time of conntrack -L.
func BenchmarkLook(b *testing.B) {
	d := busyDaemon(b)
	var took, cost, list time.Duration
	var heap uint64
	for b.Loop() {
		runtime.GC()
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		l := &Looker{Client: d.client, File: d.file}
		stop, peak := make(chan struct{}), make(chan uint64)
		go watchHeap(stop, peak)
		var c Coverage
		if err := d.ns.Do(func() (err error) {
			c, err = l.Look(b.Context())
			return err
		}); err != nil {
			b.Fatal(err)
		}
		close(stop)
		if c.Survive != benchEntries {
			b.Fatalf("%+v", c)
		}
		took, cost, heap = took+c.Took, cost+l.cost, max(heap, <-peak-before.HeapInuse)
		begin := time.Now()
		cmd := d.ns.Command("conntrack", "-L")
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		list += time.Since(begin)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/look")
	b.ReportMetric(cost.Seconds()/float64(b.N), "s-cpu/look")
	b.ReportMetric(float64(took)/float64(list), "x-conntrack-L")
	b.ReportMetric(float64(heap)/(1<<20), "MiB-heap")
}

// watchHeap sends the largest heap that it sees until stop.
func watchHeap(stop <-chan struct{}, peak chan<- uint64) {
	var most uint64
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		select {
		case <-stop:
			peak <- most
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// reporter shows long work on standard error: bars on a terminal, one line a step elsewhere,
// JSON events on request (on standard output).
type reporter struct {
	mu     sync.Mutex
	json   bool
	out    io.Writer
	bars   *mpb.Progress
	bar    *mpb.Bar
	name   string
	seen   int64
	shown  time.Time
	silent bool
}

func newReporter(asJSON bool) *reporter {
	r := &reporter{json: asJSON, out: os.Stderr}
	if asJSON {
		r.out = os.Stdout
	} else if isatty.IsTerminal(os.Stderr.Fd()) {
		r.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return r
}

// event writes one JSON event; a no-op without --json.
func (r *reporter) event(kind string, fields map[string]any) {
	if !r.json {
		return
	}
	fields["event"] = kind
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(fields)
	if err != nil {
		return
	}
	fmt.Fprintf(r.out, "%s\n", escapeHidden(text))
}

// rows reports how many rows are done.
func (r *reporter) rows(name string, done, total int64) {
	r.mu.Lock()
	if r.bars == nil {
		due := r.json && time.Since(r.shown) > time.Second
		if due {
			r.shown = time.Now()
		}
		r.mu.Unlock()
		if due {
			r.event("progress", map[string]any{"what": name, "done": done, "total": total})
		}
		return
	}
	defer r.mu.Unlock()
	if r.bar == nil || r.name != name {
		r.endBar()
		r.name, r.seen = name, 0
		counter, speed := decor.Any(func(s decor.Statistics) string {
			return humanize.Comma(s.Current) + " of " + humanize.Comma(s.Total)
		}), decor.AverageSpeed(0, " %.0f rows/s")
		r.bar = r.bars.AddBar(total, mpb.PrependDecorators(decor.Name(name+" ")),
			mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), counter, speed, decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	}
	r.bar.IncrInt64(done - r.seen)
	r.seen = done
}

func (r *reporter) endBar() {
	if r.bar != nil {
		r.bar.SetTotal(-1, true)
		r.bar.Wait()
		r.bar = nil
	}
}

// line prints a plain line, behind any bar.
func (r *reporter) line(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endBar()
	if r.json || r.silent {
		return
	}
	fmt.Fprintf(r.out, format+"\n", args...)
}

// end waits for the bars.
func (r *reporter) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endBar()
	if r.bars != nil {
		r.bars.Wait()
		r.bars = nil
	}
}

func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

func rate(n int64, d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return humanize.Comma(int64(float64(n) / d.Seconds()))
}

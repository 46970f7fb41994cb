package grammar

import (
	"math"
	"sync/atomic"
	"time"
)

// Reading knows when a reader is done.
type Reading struct {
	options Options
	closed  <-chan struct{}
	started time.Time
	// Left is how many records may still be shown.
	Left int64
	// Since when there was neither a record nor a first assignment, in nanoseconds since 1970; zero before any.
	quiet atomic.Int64
}

// NewReading starts the clock.
func NewReading(options Options) *Reading {
	return &Reading{options: options, closed: options.StdinClosed(), started: time.Now(),
		Left: options.Number("--max", math.MaxInt64)}
}

// Assigned starts the count of quiet time, once.
func (r *Reading) Assigned() { r.quiet.CompareAndSwap(0, time.Now().UnixNano()) }

// Shown is told of a record.
func (r *Reading) Shown() {
	r.Left--
	r.quiet.Store(time.Now().UnixNano())
}

// Over says whether reading ends here.
func (r *Reading) Over() bool {
	if r.Left <= 0 {
		return true
	}
	if r.options.Has("--until-stdin-closes") {
		select {
		case <-r.closed:
			return true
		default:
			return false
		}
	}
	if time.Since(r.started) >= r.options.Timeout() {
		return true
	}
	quiet := r.quiet.Load()
	idle := time.Duration(r.options.Number("--idle", 0)) * time.Millisecond
	return r.options.Has("--idle") && quiet > 0 && time.Since(time.Unix(0, quiet)) >= idle
}

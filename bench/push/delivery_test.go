package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
)

// numbered returns the sources of snapshots, which tests use as numbers.
func numbered(batch []snapshot) []int {
	var all []int
	for _, s := range batch {
		all = append(all, int(s.at.Unix()))
	}
	return all
}

// at returns a snapshot with a number.
func at(n int) snapshot { return snapshot{source: 1, at: time.Unix(int64(n), 0)} }

// Snapshots arrive in their order, together if they waited, and the final one at the end.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got [][]int
		d := startDelivery(t.Context(), func(_ context.Context, batch []snapshot) error {
			got = append(got, numbered(batch))
			return nil
		})
		d.add(at(1))
		synctest.Wait()
		d.add(at(2))
		d.add(at(3))
		final := at(4)
		final.final = true
		d.add(final)
		if o := d.finish(time.Minute); o.delivered != 4 || o.lost != 0 || o.String() != "4 snapshots delivered" {
			t.Errorf("%+v: %v", o, o)
		}
		if all := slices.Concat(got...); !slices.Equal(all, []int{1, 2, 3, 4}) {
			t.Errorf("got %v", got)
		}
	})
}

// A receiver that recovers gets everything, in order; one that does not costs the time of
// --flush and no more, and the outcome tells why.
func TestDeliveryToAReceiverThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		var got [][]int
		send := func(_ context.Context, batch []snapshot) error {
			if down {
				return &failure{text: "connection refused"}
			}
			got = append(got, numbered(batch))
			return nil
		}
		d := startDelivery(t.Context(), send)
		for n := range 20 {
			d.add(at(n))
			time.Sleep(5 * time.Second)
		}
		synctest.Wait()
		down = false
		if o := d.finish(time.Minute); o.delivered != 20 || o.lost != 0 {
			t.Errorf("%v", o)
		}
		if all := slices.Concat(got...); len(all) != 20 || !slices.IsSorted(all) {
			t.Errorf("got %v", got)
		}

		down = true
		d = startDelivery(t.Context(), send)
		final := at(1)
		final.final = true
		d.add(at(0))
		d.add(final)
		began := time.Now()
		o := d.finish(10 * time.Second)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if want := "2 of 2 snapshots not delivered, the final values among them: connection refused"; o.String() != want {
			t.Errorf("%q, want %q", o, want)
		}
	})
}

// A receiver that never answers is left alone after a bounded time, which the run does not
// wait for: adding returns at once.
func TestDeliveryToAReceiverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		d := startDelivery(t.Context(), func(ctx context.Context, _ []snapshot) error {
			attempts++
			<-ctx.Done()
			return &failure{text: ctx.Err().Error()}
		})
		began := time.Now()
		d.add(at(-1))
		synctest.Wait() // an attempt is in progress
		for n := range 2*maxPending - 1 {
			d.add(at(n))
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("adding took %v", took)
		}
		if o := d.finish(8 * time.Second); o.delivered != 0 || o.lost != 2*maxPending || attempts < 2 {
			t.Errorf("%+v after %d attempts", o, attempts)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// A slow receiver gets the final values, at the expense of earlier ones.
func TestDeliveryToASlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last []int
		d := startDelivery(t.Context(), func(ctx context.Context, batch []snapshot) error {
			select {
			case <-time.After(6 * time.Second):
				last = numbered(batch)
				return nil
			case <-ctx.Done():
				return &failure{text: ctx.Err().Error()}
			}
		})
		for n := range 20 {
			s := at(n)
			s.samples = make(model.Vector, maxSamples)
			s.final = n == 19
			d.add(s)
		}
		o := d.finish(30 * time.Second)
		if !slices.Equal(last, []int{19}) || o.finals != 0 || o.lost == 0 {
			t.Errorf("the last that arrived is %v, %+v", last, o)
		}
	})
}

// What a receiver refuses is not sent again; a wish to be left alone is respected, and the
// delivery gives up at once if that takes longer than there is time.
func TestDeliveryRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		began := time.Now()
		answers := []error{
			&failure{text: "400 out of order", permanent: true}, &failure{text: "429", after: 20 * time.Second}, nil,
			&failure{text: "429 too many", after: time.Hour},
		}
		d := startDelivery(t.Context(), func(context.Context, []snapshot) error {
			times = append(times, time.Since(began))
			err := answers[0]
			answers = answers[min(1, len(answers)-1):]
			return err
		})
		d.add(at(0))
		synctest.Wait()
		d.add(at(1))
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{0, 0, 20 * time.Second}; !slices.Equal(times, want) {
			t.Errorf("attempts at %v, want %v", times, want)
		}
		d.add(at(2))
		synctest.Wait()
		ended := time.Now()
		o := d.finish(30 * time.Second)
		if o.delivered != 1 || o.lost != 2 || !strings.HasSuffix(o.String(), ": 429 too many") {
			t.Errorf("%v", o)
		}
		if took := time.Since(ended); took > 0 {
			t.Errorf("waited %v for a receiver that wants an hour", took)
		}
	})
}

// An error of another type counts as one that may pass.
func TestDeliveryError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		d := startDelivery(t.Context(), func(context.Context, []snapshot) error {
			if attempts++; attempts == 1 {
				return errors.New("once")
			}
			return nil
		})
		d.add(at(1))
		if o := d.finish(time.Minute); o.delivered != 1 || attempts != 2 {
			t.Errorf("%v after %d attempts", o, attempts)
		}
	})
}

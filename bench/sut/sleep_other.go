//go:build !linux

package sut

import "time"

func sleep(d time.Duration) { time.Sleep(d) }

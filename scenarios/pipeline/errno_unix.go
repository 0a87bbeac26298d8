//go:build !windows

package pipeline

import "syscall"

func systemErrors() map[string][]error {
	return map[string][]error{
		"emfile":  {syscall.EMFILE, syscall.ENFILE},
		"ports":   {syscall.EADDRNOTAVAIL},
		"refused": {syscall.ECONNREFUSED},
		"reset":   {syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED},
	}
}

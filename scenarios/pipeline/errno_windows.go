package pipeline

import "syscall"

// The numbers are those of winsock2.h: WSAEMFILE; WSAEADDRINUSE,
// WSAEADDRNOTAVAIL and WSAENOBUFS, by all of which Windows reports that no local
// port is left; WSAECONNREFUSED, WSAECONNRESET and WSAECONNABORTED.
func systemErrors() map[string][]error {
	return map[string][]error{
		"emfile":  {syscall.Errno(10024), syscall.Errno(4)}, // 4: ERROR_TOO_MANY_OPEN_FILES
		"ports":   {syscall.Errno(10048), syscall.Errno(10049), syscall.Errno(10055), syscall.EADDRNOTAVAIL},
		"refused": {syscall.Errno(10061), syscall.ECONNREFUSED},
		"reset":   {syscall.Errno(10054), syscall.Errno(10053), syscall.ECONNRESET, syscall.EPIPE},
	}
}

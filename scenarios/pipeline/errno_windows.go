package pipeline

import "syscall"

// The numbers are those of winsock2.h: WSAEMFILE, WSAECONNREFUSED,
// WSAECONNRESET and WSAECONNABORTED.
func systemErrors() map[string][]error {
	return map[string][]error{
		"emfile":  {syscall.Errno(10024), syscall.Errno(4)}, // 4: ERROR_TOO_MANY_OPEN_FILES
		"refused": {syscall.Errno(10061), syscall.ECONNREFUSED},
		"reset":   {syscall.Errno(10054), syscall.Errno(10053), syscall.ECONNRESET, syscall.EPIPE},
	}
}

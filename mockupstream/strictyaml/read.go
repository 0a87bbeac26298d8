package strictyaml

import (
	"fmt"
	"io"
	"os"
)

// ReadFile reads a file of at most limit bytes. A larger one is an error, and no
// more than the limit is read: the file may be endless, such as /dev/zero.
func ReadFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(src) > limit {
		err = fmt.Errorf("%s is larger than %d bytes, which no such file needs; check the path", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return src, nil
}

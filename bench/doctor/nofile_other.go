//go:build !unix

package doctor

import "errors"

func noFile() (limits, error) { return limits{}, errors.ErrUnsupported }

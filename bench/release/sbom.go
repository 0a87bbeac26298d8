package main

import (
	"context"
	"encoding/json"
	"os"
)

// sbom writes the modules of a program in CycloneDX's format.
func sbom(ctx context.Context, program, out string) error {
	words, err := output(ctx, []string{"GOFLAGS=-mod=mod"}, "go", "run", sbomTool, "bin", "-json", "-noserial", "-std", program)
	if err != nil {
		return err
	}
	content, err := timeless([]byte(words))
	if err != nil {
		return err
	}
	return os.WriteFile(out, content, 0o644)
}

// timeless removes the time at which the list was made.
func timeless(list []byte) ([]byte, error) {
	var all map[string]any
	if err := json.Unmarshal(list, &all); err != nil {
		return nil, err
	}
	if metadata, ok := all["metadata"].(map[string]any); ok {
		delete(metadata, "timestamp")
	}
	content, err := json.MarshalIndent(all, "", "  ") // keys are sorted
	return append(content, '\n'), err
}

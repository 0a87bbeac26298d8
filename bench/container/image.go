package container

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Role is the role of an image of this program.
type Role string

// Roles.
const (
	RoleUpstream Role = "upstream"
	RoleMongo    Role = "mongo"
	RoleSUT      Role = "sut"
)

// Repository returns the name of the role's images, without a tag.
func (r Role) Repository() string { return "floodgate-" + string(r) }

// dockerfile returns the Dockerfile of the role's image.
func (r Role) dockerfile() string {
	const from = "FROM scratch\nCOPY root /\n"
	switch r {
	case RoleUpstream:
		return from + "EXPOSE 8080\nENTRYPOINT [\"/floodgate\", \"upstream-container\"]\n"
	case RoleMongo:
		return from + "EXPOSE 27017\nVOLUME /data/db\nENTRYPOINT [\"/floodgate\", \"mongo-container\"]\n"
	}
	return from + "ENTRYPOINT [\"/floodgate\", \"sut-child\"]\n"
}

// Build builds the image of a role from the executable, or from a static binary built for
// it, unless an image of the same binary exists. note receives one-line messages about slow
// steps.
func (e *Engine) Build(ctx context.Context, r Role, executable string, note func(string)) (image string, err error) {
	b, err := e.binaryOf(ctx, executable, note)
	if err != nil {
		return "", fmt.Errorf("make image %s: %w", r.Repository(), err)
	}
	image = r.Repository() + ":" + b.hash[:12]
	if present, err := e.present(ctx, image); present || err != nil {
		return image, err
	}
	note("building image " + image)
	if err := e.build(ctx, r, image, b); err != nil {
		return "", fmt.Errorf("build image %s: %w", image, err)
	}
	return image, nil
}

// present reports whether the engine has the image.
func (e *Engine) present(ctx context.Context, image string) (bool, error) {
	_, err := e.client.ImageInspect(ctx, image)
	switch {
	case err == nil:
		return true, nil
	case notFound(err):
		return false, nil
	}
	return false, fmt.Errorf("look for image %s: %w", image, err)
}

func notFound(err error) bool { return cerrdefs.IsNotFound(err) }

func (e *Engine) build(ctx context.Context, r Role, image string, b *binary) error {
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := writeContext(writer, r, b.path)
		writer.CloseWithError(err)
		done <- err
	}()
	answer, err := e.client.ImageBuild(ctx, reader, client.ImageBuildOptions{
		Tags: []string{image}, Remove: true, ForceRemove: true,
		Labels: map[string]string{labelRole: string(r), labelBinary: b.hash},
	})
	if err == nil {
		err = errors.Join(buildError(answer.Body), answer.Body.Close())
	}
	reader.Close() // ends the writer even if the build failed
	if written := <-done; err == nil {
		err = written
	}
	return err
}

// writeContext writes the build context: the Dockerfile and a root directory with the binary
// and directories for temporary files and data.
func writeContext(w io.Writer, r Role, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	text := r.dockerfile()
	if err := t.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := io.WriteString(t, text); err != nil {
		return err
	}
	for _, dir := range []string{"root/", "root/tmp/", "root/data/", "root/data/db/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777}); err != nil {
			return err
		}
	}
	// With a fixed time, the same binary gives the same layer.
	if err := t.WriteHeader(&tar.Header{Name: "root/floodgate", Mode: 0o755, Size: info.Size(), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	if _, err := io.Copy(t, file); err != nil {
		return err
	}
	return t.Close()
}

// buildError reads the engine's answer to its end and returns the error in it, if any.
func buildError(answer io.Reader) error {
	lines := json.NewDecoder(answer)
	for {
		var line struct {
			Error string `json:"error"`
		}
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the engine's answer: %w", err)
		case line.Error != "":
			return errors.New(strings.TrimSpace(line.Error))
		}
	}
}

// Timeouts of requests to registries.
const (
	registryTimeout = 10 * time.Second
	pullTimeout     = 10 * time.Minute
)

// Available returns nil if the image is present or its registry has it.
func (e *Engine) Available(ctx context.Context, image string) error {
	present, err := e.present(ctx, image)
	if present || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	if _, err := e.client.DistributionInspect(ctx, image, client.DistributionInspectOptions{}); err != nil {
		return fmt.Errorf("image %s was not found locally or in any registry: %w", image, err)
	}
	return nil
}

// Pull pulls the image unless it is present.
func (e *Engine) Pull(ctx context.Context, image string, note func(string)) error {
	present, err := e.present(ctx, image)
	if present || err != nil {
		return err
	}
	note("pulling image " + image)
	ctx, cancel := context.WithTimeoutCause(ctx, pullTimeout, fmt.Errorf("not done after %s", pullTimeout))
	defer cancel()
	pull, err := e.client.ImagePull(ctx, image, client.ImagePullOptions{})
	if err == nil {
		err = errors.Join(pull.Wait(ctx), pull.Close())
	}
	if err != nil {
		return fmt.Errorf("pull image %s: %w", image, err)
	}
	return nil
}

// Package image makes the image of this program, FROM scratch with a static binary, without
// a container engine:
//
//	i, err := image.New("floodgate-kubernetes")
//	err = i.Write(file)                             // for ctr, kind, k3d, docker load
//	err = i.Push(ctx, "registry.example/floodgate") // or for a registry
//	fmt.Println(i.Reference())                      // floodgate.local/floodgate:0123456789ab
//
// The same binary gives the same image, bit by bit.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Repository is the name of the image on nodes. No registry has it: .local is not a domain.
const Repository = "floodgate.local/floodgate"

// Build is the command that builds a binary for an image.
const Build = "CGO_ENABLED=0 GOOS=linux go build -C bench/kubernetes -o ../../floodgate-kubernetes ."

// Image is the image of a binary.
type Image struct {
	image     v1.Image
	reference string
}

// New makes the image of a static binary for Linux.
func New(path string) (*Image, error) {
	arch, err := architecture(path)
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(binary)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		files, err := root(binary)
		return io.NopCloser(bytes.NewReader(files)), err
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	config := &v1.ConfigFile{
		Architecture: arch, OS: "linux", Created: v1.Time{Time: time.Unix(0, 0).UTC()},
		Config: v1.Config{Entrypoint: []string{"/floodgate"}, User: "65532:65532"},
		RootFS: v1.RootFS{Type: "layers"},
	}
	i, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), config)
	if err == nil {
		i, err = mutate.Append(i, mutate.Addendum{Layer: layer, History: v1.History{Created: config.Created, CreatedBy: "floodgate image"}})
	}
	if err != nil {
		return nil, err
	}
	return &Image{i, Repository + ":" + hex.EncodeToString(sum[:])[:12]}, nil
}

// Reference returns the name and tag under which Write stores the image. The tag is derived
// from the binary.
func (i *Image) Reference() string { return i.reference }

// architecture returns the GOARCH of a static binary for Linux.
func architecture(path string) (string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux binary; build one with: %s", path, Build)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is not static; build one that is with: %s", path, Build)
		}
	}
	arch, ok := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_S390: "s390x", elf.EM_PPC64: "ppc64le", elf.EM_RISCV: "riscv64"}[file.Machine]
	if !ok {
		return "", fmt.Errorf("%s is for %s, which images of this program do not support", path, file.Machine)
	}
	return arch, nil
}

// root returns the only layer: the binary, and folders that volumes are mounted on. With
// fixed times, the same binary gives the same bytes.
func root(binary []byte) ([]byte, error) {
	var out bytes.Buffer
	t := tar.NewWriter(&out)
	for _, dir := range []string{"data/", "data/db/", "tmp/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777, ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
	}
	if err := file(t, "floodgate", 0o755, binary); err != nil {
		return nil, err
	}
	return out.Bytes(), t.Close()
}

func file(t *tar.Writer, name string, mode int64, content []byte) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

// Write writes the image as an OCI archive, with the manifest of "docker save" for the tools
// that need it.
func (i *Image) Write(w io.Writer) error {
	manifest, err := i.image.RawManifest()
	if err != nil {
		return err
	}
	digest, err := i.image.Digest()
	if err != nil {
		return err
	}
	configName, err := i.image.ConfigName()
	if err != nil {
		return err
	}
	config, err := i.image.RawConfigFile()
	if err != nil {
		return err
	}
	layers, err := i.image.Layers()
	if err != nil {
		return err
	}
	blob := func(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
	saved := dockerManifest{Config: blob(configName), RepoTags: []string{i.reference}}
	t := tar.NewWriter(w)
	write := func(name string, content []byte) {
		if err == nil {
			err = file(t, name, 0o644, content)
		}
	}
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	index, encodeErr := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{{
		MediaType: types.OCIManifestSchema1, Size: int64(len(manifest)), Digest: digest,
		Annotations: map[string]string{"io.containerd.image.name": i.reference, "org.opencontainers.image.ref.name": i.reference},
	}}})
	if encodeErr != nil {
		return encodeErr
	}
	write("index.json", index)
	write(blob(digest), manifest)
	write(blob(configName), config)
	for _, layer := range layers {
		hash, hashErr := layer.Digest()
		if hashErr != nil {
			return hashErr
		}
		content, readErr := layer.Compressed()
		if readErr != nil {
			return readErr
		}
		text, readErr := io.ReadAll(content)
		content.Close()
		if readErr != nil {
			return readErr
		}
		saved.Layers = append(saved.Layers, blob(hash))
		write(blob(hash), text)
	}
	list, encodeErr := json.Marshal([]dockerManifest{saved})
	if encodeErr != nil {
		return encodeErr
	}
	write("manifest.json", list)
	if err != nil {
		return err
	}
	return t.Close()
}

// dockerManifest is the manifest of "docker save".
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Push pushes the image to a registry, with the credentials of "docker login", and returns
// the reference with its digest.
func (i *Image) Push(ctx context.Context, reference string) (string, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", fmt.Errorf("--push %s: %w", reference, err)
	}
	if err := remote.Write(ref, i.image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return "", fmt.Errorf("push %s: %w", reference, err)
	}
	digest, err := i.image.Digest()
	if err != nil {
		return "", err
	}
	return ref.Context().Digest(digest.String()).String(), nil
}

package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"floodgate/bench/kubernetes/image"
)

// program writes a Linux binary with a header and nothing else, and an interpreter if it is
// dynamic.
func program(t *testing.T, machine elf.Machine, dynamic bool) string {
	t.Helper()
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phoff: 64, Phentsize: 56,
	}
	copy(h.Ident[:], elf.ELFMAG+string([]byte{byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}))
	var out bytes.Buffer
	if dynamic {
		h.Phnum = 1
	}
	if err := binary.Write(&out, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	if dynamic {
		if err := binary.Write(&out, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_INTERP)}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "floodgate")
	if err := os.WriteFile(path, out.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func archive(t *testing.T, path string) (reference string, content []byte) {
	t.Helper()
	i, err := image.New(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := i.Write(&out); err != nil {
		t.Fatal(err)
	}
	return i.Reference(), out.Bytes()
}

// files returns the files of a tar archive.
func files(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 {
			t.Errorf("%s has the time %v", h.Name, h.ModTime)
		}
		if all[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

// The archive holds the binary, is complete in both formats, and is the same each time.
func TestArchive(t *testing.T) {
	path := program(t, elf.EM_X86_64, false)
	reference, content := archive(t, path)
	if _, again := archive(t, path); !bytes.Equal(content, again) {
		t.Error("a second archive differs")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	if want := "floodgate.local/floodgate:" + hex.EncodeToString(sum[:])[:12]; reference != want {
		t.Errorf("reference %s, want %s", reference, want)
	}
	all := files(t, bytes.NewReader(content))
	for name, blob := range all {
		if hash, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			if sum := sha256.Sum256(blob); hash != hex.EncodeToString(sum[:]) {
				t.Errorf("%s has another hash", name)
			}
		}
	}
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(all["index.json"], &index); err != nil || len(index.Manifests) != 1 || index.Manifests[0].Annotations["io.containerd.image.name"] != reference {
		t.Errorf("%v, index %s", err, all["index.json"])
	}
	if all["blobs/"+strings.ReplaceAll(index.Manifests[0].Digest, ":", "/")] == nil || all["oci-layout"] == nil {
		t.Error("the manifest of the index, or the layout, is missing")
	}
	var docker []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(all["manifest.json"], &docker); err != nil || len(docker) != 1 || len(docker[0].Layers) != 1 || docker[0].RepoTags[0] != reference {
		t.Fatalf("%v, manifest %s", err, all["manifest.json"])
	}
	if c := string(all[docker[0].Config]); !strings.Contains(c, `"architecture":"amd64"`) || !strings.Contains(c, `"Entrypoint":["/floodgate"]`) {
		t.Errorf("config %s", c)
	}
	z, err := gzip.NewReader(bytes.NewReader(all[docker[0].Layers[0]]))
	if err != nil {
		t.Fatal(err)
	}
	if inside := files(t, z); !bytes.Equal(inside["floodgate"], text) || len(inside) != 4 {
		t.Errorf("the layer has %d entries", len(inside))
	}
}

// What cannot be the only file of an image is refused with the command that builds one.
func TestRefused(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		program(t, elf.EM_X86_64, true):   "is not static; build one that is with: CGO_ENABLED=0",
		program(t, elf.EM_SPARCV9, false): "EM_SPARCV9",
		script:                            "is not a Linux binary; build one with: CGO_ENABLED=0",
	} {
		if _, err := image.New(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A pushed image has the digest that Push returns.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	i, err := image.New(program(t, elf.EM_AARCH64, false))
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := i.Push(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/floodgate:1")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(pushed)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := pulled.ConfigFile(); err != nil || c.Architecture != "arm64" {
		t.Errorf("pulled %+v, %v", c, err)
	}
	if _, err := i.Push(t.Context(), "NOT A REFERENCE"); err == nil {
		t.Error("an invalid reference was accepted")
	}
}

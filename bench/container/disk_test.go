package container_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"floodgate/bench/environment"
)

// A database whose disk is full reports that in the error of the write or in the end of
// its log, and nothing else is harmed. It works again once there is free space.
func TestDiskOfTheDatabaseIsFull(t *testing.T) {
	engine := available(t)
	size := int64(4 << 20)
	if mongoImage() != environment.OwnImage {
		size = 512 << 20 // mostly MongoDB's own files
	}
	env, err := environment.Start(t.Context(), environment.Options{
		Kind: environment.Containers, Engine: engine, Executable: floodgate(t), MongoImage: mongoImage(),
		DataSize: size, LogDir: t.TempDir(), ReadyTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := env.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	full := fill(t, env, size)
	if full == nil {
		t.Fatalf("%d bytes fit on a disk of %d", 2*size, size)
	}
	message := full.Error()
	until(t, "it is known why the write failed", func() bool {
		return strings.Contains(message, "full") || strings.Contains(message+strings.Join(env.Died(), ""), "No space left on device")
	})
	if _, err := env.UpstreamStats(t.Context()); err != nil {
		t.Errorf("the upstream suffers: %v", err)
	}
	if _, err := env.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := drop(t.Context(), env); err != nil { // SQLite's file does not shrink when a collection is dropped
		t.Fatal(err)
	}
	if err := env.Prepare(t.Context(), "test", "calls"); err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), env, 1<<10); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// fill writes twice the size of the disk, unless a write fails before.
func fill(t *testing.T, env *environment.Environment, size int64) error {
	t.Helper()
	const piece = 256 << 10
	for written := int64(0); written < 2*size; written += piece {
		if err := write(t.Context(), env, piece); err != nil {
			return err
		}
	}
	return nil
}

// drop drops the database, which frees its disk space.
func drop(ctx context.Context, env *environment.Environment) error {
	client, err := driver.Connect(options.Client().ApplyURI(env.MongoURI()))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return client.Database("test").Drop(ctx)
}

// write writes a document of that many bytes, which cannot be compressed.
func write(ctx context.Context, env *environment.Environment, size int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client, err := driver.Connect(options.Client().ApplyURI(env.MongoURI()).SetServerSelectionTimeout(5 * time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	_, err = client.Database("test").Collection("calls").InsertOne(ctx, bson.D{{Key: "_id", Value: rand.Text()}, {Key: "data", Value: data}})
	return err
}

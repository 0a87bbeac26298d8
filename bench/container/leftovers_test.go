package container_test

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	api "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"floodgate/bench/container"
)

// labeled creates a container with labels without starting it.
func labeled(t *testing.T, image string, labels map[string]string) (id string) {
	t.Helper()
	c := docker(t)
	created, err := c.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &api.Config{Image: image, Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeContainer(t, created.ID) })
	return created.ID
}

func exists(t *testing.T, id string) bool {
	t.Helper()
	list, err := docker(t).ContainerList(t.Context(), client.ContainerListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(list.Items, func(c api.Summary) bool { return c.ID == id })
}

// found returns the leftover of a container; the zero value means that it is not listed.
func found(t *testing.T, e *container.Engine, id string) container.Leftover {
	t.Helper()
	all, err := e.Leftovers(t.Context(), program(t))
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(all, func(l container.Leftover) bool { return l.ID == id }); i >= 0 {
		return all[i]
	}
	return container.Leftover{}
}

func TestSweepRemovesLeftoversOfAKilledProcess(t *testing.T) {
	e := connect(t)
	killed, living := startOwner(t), startOwner(t)
	for _, o := range []*owner{killed, living} {
		if l := found(t, e, o.id); l.Orphaned || l.Kind != "container" || !strings.Contains(l.Why, strconv.Itoa(o.process.Pid)) {
			t.Errorf("while its owner lives: %+v", l)
		}
	}
	volume := inspect(t, killed.id).Mounts[0].Name
	killed.kill()
	l := found(t, e, killed.id)
	if !l.Orphaned || !strings.Contains(l.Why, "has ended") {
		t.Errorf("after the kill: %+v", l)
	}
	removed, err := e.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(removed, l.Name) || exists(t, killed.id) {
		t.Errorf("removed %v, want %s among them", removed, l.Name)
	}
	if _, err := docker(t).VolumeInspect(t.Context(), volume, client.VolumeInspectOptions{}); err == nil {
		t.Error("its volume is still there")
	}
	if !exists(t, living.id) {
		t.Error("what a living process uses was removed")
	}
	if printed := living.end(); printed != "" {
		t.Error(printed)
	}
	if exists(t, living.id) {
		t.Error("its owner ended in good order, and it is still there")
	}
}

// Containers that are not certain to be our own orphans stay.
func TestSweepRemovesNothingElse(t *testing.T) {
	e := connect(t)
	r, err := start(t, e, "serve", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours := inspect(t, r.ID()).Config.Labels
	name := image(t, e, container.RoleUpstream)
	changed := func(change func(map[string]string)) string {
		l := maps.Clone(ours)
		l["floodgate.session"] = "another"
		l["floodgate.owner.pid"], l["floodgate.owner.start"] = "1", "1000" // process 1 started later than in 1970
		change(l)
		return labeled(t, name, l)
	}
	orphan := changed(func(map[string]string) {})
	gone := changed(func(l map[string]string) { l["floodgate.owner.pid"] = "2147483647" })
	stay := map[string]string{
		"unlabeled":          labeled(t, name, nil),
		"of another program": labeled(t, name, map[string]string{"session": "x", "org.testcontainers": "true"}),
		"of another host":    changed(func(l map[string]string) { l["floodgate.owner.host"] = "elsewhere" }),
		"without a host":     changed(func(l map[string]string) { delete(l, "floodgate.owner.host") }),
		"without a PID":      changed(func(l map[string]string) { delete(l, "floodgate.owner.pid") }),
		"with a bad PID":     changed(func(l map[string]string) { l["floodgate.owner.pid"] = "none" }),
		"without a start":    changed(func(l map[string]string) { delete(l, "floodgate.owner.start") }),
		"without session":    changed(func(l map[string]string) { delete(l, "floodgate.session") }),
		"of a living one": changed(func(l map[string]string) {
			l["floodgate.owner.pid"], l["floodgate.owner.start"] = ours["floodgate.owner.pid"], ours["floodgate.owner.start"]
		}),
		"ours": r.ID(),
	}
	other := connect(t) // another session of this process
	for _, e := range []*container.Engine{e, other} {
		if _, err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for what, id := range stay {
			if !exists(t, id) {
				t.Errorf("a container %s was removed", what)
			}
		}
	}
	for _, id := range []string{orphan, gone} {
		if exists(t, id) {
			t.Error("an orphan stays: of a PID that another process has, or none")
		}
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func TestRemoveSession(t *testing.T) {
	e, owner := connect(t), connect(t)
	name := image(t, e, container.RoleUpstream)
	first, err := start(t, owner, "serve", nil)
	if err != nil {
		t.Fatal(err)
	}
	created := labeled(t, name, map[string]string{"floodgate.session": owner.Session()})
	other := labeled(t, name, map[string]string{"floodgate.session": owner.Session() + "x"})
	for range 2 { // the second time there is nothing to remove
		if err := e.RemoveSession(t.Context(), owner.Session()); err != nil {
			t.Fatal(err)
		}
	}
	if exists(t, first.ID()) || exists(t, created) || !exists(t, other) {
		t.Errorf("running one is there: %v, created one: %v; another session's: %v", exists(t, first.ID()), exists(t, created), exists(t, other))
	}
	until(t, "its end is known", func() bool { return first.Err() != nil })
	if err := first.Stop(0); err != nil {
		t.Error(err)
	}
}

// An image younger than an hour is not a leftover; see the internal test.
func TestRemoveAnImage(t *testing.T) {
	e := connect(t)
	name := image(t, e, container.RoleSUT)
	id := func() string {
		answer, err := docker(t).ImageInspect(t.Context(), name)
		if err != nil {
			return ""
		}
		return answer.ID
	}
	all, err := e.Leftovers(t.Context(), "/nonexistent")
	if err != nil || slices.ContainsFunc(all, func(l container.Leftover) bool { return l.ID == id() }) {
		t.Errorf("a fresh image is among the leftovers %+v, %v", all, err)
	}
	l := container.Leftover{Kind: "image", Name: name, ID: id()}
	if err := e.Remove(t.Context(), []container.Leftover{l}); err != nil || id() == "" {
		t.Errorf("something other than an orphan was removed: %v", err)
	}
	l.Orphaned = true
	if err := e.Remove(t.Context(), []container.Leftover{l}); err != nil || id() != "" {
		t.Errorf("it stays: %v", err)
	}
	if err := e.Remove(t.Context(), []container.Leftover{l}); err == nil || !strings.Contains(err.Error(), "remove image "+name) {
		t.Errorf("an image that is not there: %v", err)
	}
}

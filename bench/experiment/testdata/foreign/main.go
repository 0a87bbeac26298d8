// Command foreign is a SUT that shares no code with ours: it fetches and writes
// one by one, and reports nothing but that it is done. Its argument is a way to
// misbehave.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func main() {
	log.SetFlags(0)
	mode := strings.Join(os.Args[1:], " ")
	in := bufio.NewReader(os.Stdin)
	var spec struct {
		Items    [][]string
		Upstream struct{ URL string }
		Database struct{ URI, Name, Collection string }
	}
	if err := json.NewDecoder(strings.NewReader(line(in))).Decode(&spec); err != nil {
		log.Fatal(err)
	}
	switch mode {
	case "never ready":
		log.Print("listening on :8080")
		say(`{"type":"log"}`)
		select {}
	case "no protocol":
		say("listening on :8080")
		line(in) // until the harness has had enough
		return
	case "exit at once":
		return
	}
	say(`{"floodgate":1,"type":"ready","name":"foreign"}`)
	line(in) // go
	switch mode {
	case "crash":
		log.Fatal("this is why it crashed")
	case "garbage":
		fmt.Println("Traceback (most recent call last):")
		line(in) // until the harness has had enough
		return
	case "hang":
		line(in)
		select {}
	}
	client, err := mongo.Connect(options.Client().ApplyURI(spec.Database.URI))
	if err != nil {
		log.Fatal(err)
	}
	coll := client.Database(spec.Database.Name).Collection(spec.Database.Collection)
	seen := map[string]bool{}
	for i, args := range spec.Items {
		item := strings.Join(args, "/")
		if seen[item] || mode == "lose one" && i == 0 {
			continue
		}
		seen[item] = true
		records := fetch(spec.Upstream.URL, args)
		if mode == "garble one" && i == 0 {
			records = records[1:]
		}
		insert(coll, bson.M{"_id": item, "item": item, "seq": 0, "records": records})
		if mode == "double one" && i == 0 {
			insert(coll, bson.M{"item": item, "seq": 0, "records": records})
		}
		if mode == "invent one" && i == 0 {
			insert(coll, bson.M{"item": "no one", "seq": 0})
		}
	}
	client.Disconnect(context.Background())
	http.DefaultClient.CloseIdleConnections()
	if mode == "silent" {
		return
	}
	say(`{"type":"progress","note":"an event that the harness does not know"}`)
	say(`{"type":"done"}`)
	line(in) // close
	say(`{"type":"closed"}`)
	line(in)
}

func fetch(base string, args []string) []any {
	for i, arg := range args {
		args[i] = url.PathEscape(arg)
	}
	r, err := http.Get(base + "/items/" + strings.Join(args, "/"))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct{ Records []any }
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	return answer.Records
}

func insert(coll *mongo.Collection, document bson.M) {
	if _, err := coll.InsertOne(context.Background(), document); err != nil {
		log.Fatal(err)
	}
}

func line(in *bufio.Reader) string {
	text, _ := in.ReadString('\n')
	return text
}

func say(text string) { fmt.Println(text) }

package fakemongo

import (
	"encoding/binary"
	"fmt"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"

	"floodgate/bench/environment/wire"
)

// Error codes of MongoDB.
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
)

// login is the authentication state of a connection.
type login struct {
	server       *scram.Server // nil means that no authentication is required
	conversation *scram.ServerConversation
	in           bool
}

func newLogin(user, password string) *login {
	if user == "" {
		return &login{in: true}
	}
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		panic(err) // the credentials are the test's own
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "a salt", Iters: 4096})
	if err != nil {
		panic(err)
	}
	server, err := scram.SHA256.NewServer(func(name string) (scram.StoredCredentials, error) {
		if name != user {
			return scram.StoredCredentials{}, fmt.Errorf("no user %q", name)
		}
		return stored, nil
	})
	if err != nil {
		panic(err)
	}
	return &login{server: server}
}

// answer returns the answer to a command; nil means that the backend answers it.
func (l *login) answer(command string, request wire.Message) wire.Message {
	switch {
	case l.server != nil && (command == "saslStart" || command == "saslContinue"):
		return respond(request, l.step(command, request))
	case l.in || wire.Hello(command):
		return nil
	}
	return respond(request, failure(codeUnauthorized, "Unauthorized", "command "+command+" requires authentication"))
}

func (l *login) step(command string, request wire.Message) bson.D {
	var payload struct {
		Mechanism string `bson:"mechanism"`
		Payload   []byte `bson:"payload"`
	}
	err := bson.Unmarshal(request[document(request):], &payload)
	if command == "saslStart" {
		l.conversation = l.server.NewConversation()
	}
	if err != nil || l.conversation == nil || command == "saslStart" && payload.Mechanism != "SCRAM-SHA-256" {
		return failure(codeAuthenticationFailed, "AuthenticationFailed", "Authentication failed.")
	}
	next, err := l.conversation.Step(string(payload.Payload))
	if err != nil {
		return failure(codeAuthenticationFailed, "AuthenticationFailed", "Authentication failed.")
	}
	l.in = l.conversation.Valid()
	return bson.D{
		{Key: "conversationId", Value: 1}, {Key: "done", Value: l.conversation.Done()},
		{Key: "payload", Value: []byte(next)}, {Key: "ok", Value: 1.0},
	}
}

func failure(code int, name, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: text}, {Key: "code", Value: code}, {Key: "codeName", Value: name}}
}

// respond returns the OP_MSG that answers a request.
func respond(request wire.Message, doc bson.D) wire.Message {
	head := make(wire.Message, 16+4+1)
	binary.LittleEndian.PutUint32(head[8:], uint32(request.RequestID()))
	binary.LittleEndian.PutUint32(head[12:], wire.OpMsg)
	m, err := replace(head, len(head), doc)
	if err != nil {
		panic(err) // impossible: doc is made in this file
	}
	return m
}

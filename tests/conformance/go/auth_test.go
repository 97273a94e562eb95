package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// certificates is nil unless PKI names a folder with ca.crt, client.crt and client.key.
func certificates(t *testing.T) *tls.Config {
	t.Helper()
	folder := os.Getenv("PKI")
	if folder == "" {
		return nil
	}
	info := transport.TLSInfo{
		CertFile: folder + "/client.crt", KeyFile: folder + "/client.key", TrustedCAFile: folder + "/ca.crt",
	}
	return must(info.ClientConfig())(t)
}

// logIn returns a client of that user's; of nobody's without a name.
func logIn(t *testing.T, name, password string) (*clientv3.Client, error) {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint(t)}, DialTimeout: patience, TLS: certificates(t), Logger: zap.NewNop(),
		Username: name, Password: password,
	})
	if err == nil {
		t.Cleanup(func() { client.Close() })
	}
	return client, err
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: %v, not %v", what, got, want)
	}
}

// makeUsers makes root, and alice who may read and write below /app/, and switches authentication on until the test ends.
func makeUsers(t *testing.T) {
	t.Helper()
	ctx := limited(t)
	nobody := must(logIn(t, "", ""))(t)
	must(nobody.UserAdd(ctx, "root", "rootpw"))(t)
	must(nobody.UserGrantRole(ctx, "root", "root"))(t)
	must(nobody.UserAdd(ctx, "alice", "alicepw"))(t)
	must(nobody.RoleAdd(ctx, "app"))(t)
	must(nobody.RoleGrantPermission(ctx, "app", "/app/", clientv3.GetPrefixRangeEnd("/app/"),
		clientv3.PermissionType(clientv3.PermReadWrite)))(t)
	must(nobody.UserGrantRole(ctx, "alice", "app"))(t)
	must(nobody.AuthEnable(ctx))(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		root := must(logIn(t, "root", "rootpw"))(t)
		must(root.AuthDisable(ctx))(t)
		must(nobody.UserDelete(ctx, "alice"))(t)
		must(nobody.UserDelete(ctx, "root"))(t)
		must(nobody.RoleDelete(ctx, "app"))(t)
	})
}

func TestUsers(t *testing.T) {
	makeUsers(t)
	ctx := limited(t)
	alice := must(logIn(t, "alice", "alicepw"))(t)
	must(alice.Put(ctx, "/app/a", "1"))(t)
	_, err := alice.Put(ctx, "/other", "1")
	wantError(t, "a put elsewhere", err, rpctypes.ErrPermissionDenied)
	_, err = alice.Get(ctx, "/", clientv3.WithPrefix())
	wantError(t, "a read of more", err, rpctypes.ErrPermissionDenied)
	_, err = alice.Txn(ctx).Then(clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpPut("/other", "1")}, nil)).Commit()
	wantError(t, "a nested put elsewhere", err, rpctypes.ErrPermissionDenied)
	_, err = alice.UserList(ctx)
	wantError(t, "a list of users", err, rpctypes.ErrPermissionDenied)
	_, err = logIn(t, "alice", "wrong")
	wantError(t, "a wrong password", err, rpctypes.ErrAuthFailed)
	if os.Getenv("PKI") == "" { // else the certificate names somebody
		_, err = must(logIn(t, "", ""))(t).Get(ctx, "/app/a")
		wantError(t, "nobody's read", err, rpctypes.ErrUserEmpty)
	}

	// A new password ends the token of the old one.
	root := must(logIn(t, "root", "rootpw"))(t)
	must(root.UserChangePassword(ctx, "alice", "another"))(t)
	_, err = alice.Get(ctx, "/app/a")
	if err == nil {
		t.Fatal("the token of an old password was accepted")
	}
	must(must(logIn(t, "alice", "another"))(t).Get(ctx, "/app/a"))(t)
}

func TestUsersWatchWhatTheyMayRead(t *testing.T) {
	makeUsers(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	alice := must(logIn(t, "alice", "alicepw"))(t)
	events := alice.Watch(clientv3.WithRequireLeader(ctx), "/app/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if created := <-events; !created.Created {
		t.Fatalf("the watch was not created: %v", created.Err())
	}
	must(must(logIn(t, "root", "rootpw"))(t).Put(ctx, "/app/seen", "1"))(t)
	select {
	case response := <-events:
		if len(response.Events) != 1 || string(response.Events[0].Kv.Key) != "/app/seen" {
			t.Fatalf("not the event: %v", response)
		}
	case <-time.After(patience):
		t.Fatal("no event")
	}
	for response := range alice.Watch(ctx, "/other") {
		if !response.Canceled {
			t.Fatalf("a watch of what may not be read: %v", response)
		}
		return
	}
}

package load

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"lattice/tests/robustness/check"
	"lattice/tests/robustness/history"
)

const finalPatience = 10 * time.Second

// Hashes asks every node for its HashKV at a revision; nodes that do not answer are left out.
func Hashes(recorder *Recorder, revision int64) []check.NodeHash {
	var found []check.NodeHash
	for node, target := range recorder.Targets {
		conn, err := dial(target.Address())
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		answer, err := pb.NewMaintenanceClient(conn).HashKV(ctx, &pb.HashKVRequest{Revision: revision})
		cancel()
		conn.Close()
		if err == nil {
			found = append(found, check.NodeHash{Node: node, Revision: revision, Compact: answer.CompactRevision,
				Hash: answer.Hash})
		}
	}
	return found
}

// ReadLog reads everything from a revision to another by one watch, which becomes part of the history.
func ReadLog(recorder *Recorder, node int, from, to int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), finalPatience)
	defer cancel()
	target := recorder.Targets[node]
	conn, err := dial(target.Address())
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return err
	}
	request := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: from, PrevKv: true}
	record := &history.WatchStream{ID: int(recorder.lastID.Add(1)), Watcher: -1, Node: node, Life: target.Life(),
		Opened: recorder.Clock.Now(), Requests: []*pb.WatchCreateRequest{request}, MustReach: to}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}); err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		record.Responses = append(record.Responses, history.WatchResponse{At: recorder.Clock.Now(), Response: response})
		if response.Canceled {
			return fmt.Errorf("cancelled: %v", response)
		}
		if n := len(response.Events); n > 0 && response.Events[n-1].Kv.ModRevision >= to {
			recorder.keepStream(record)
			return nil
		}
	}
}

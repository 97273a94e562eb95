package history

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// savedOp and savedStream are Op and WatchStream with their messages as protobuf's JSON.
type savedOp struct {
	Op
	Request, Response json.RawMessage
}

type savedStream struct {
	WatchStream
	Requests  []json.RawMessage
	Responses []savedResponse
}

type savedResponse struct {
	At       int64
	Response json.RawMessage
}

type saved struct {
	Start   time.Time
	Ops     []savedOp
	Streams []savedStream
	Chain   json.RawMessage // of truth.Batch
}

func pack(message proto.Message) (json.RawMessage, error) {
	if message == nil {
		return json.RawMessage("null"), nil
	}
	packed, err := anypb.New(message)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(packed)
}

func unpack(text json.RawMessage) (proto.Message, error) {
	if string(text) == "null" {
		return nil, nil
	}
	var packed anypb.Any
	if err := protojson.Unmarshal(text, &packed); err != nil {
		return nil, err
	}
	return packed.UnmarshalNew()
}

// Save writes a history with the log's chain, compressed.
func Save(path string, h *History, chain any) error {
	s := saved{Start: h.Clock.Start}
	var err error
	for _, op := range h.Ops {
		o := savedOp{Op: *op}
		if o.Request, err = pack(op.Request); err != nil {
			return err
		}
		if o.Response, err = pack(op.Response); err != nil {
			return err
		}
		s.Ops = append(s.Ops, o)
	}
	for _, stream := range h.Streams {
		one := savedStream{WatchStream: *stream}
		for _, request := range stream.Requests {
			text, err := pack(request)
			if err != nil {
				return err
			}
			one.Requests = append(one.Requests, text)
		}
		for _, response := range stream.Responses {
			text, err := pack(response.Response)
			if err != nil {
				return err
			}
			one.Responses = append(one.Responses, savedResponse{response.At, text})
		}
		s.Streams = append(s.Streams, one)
	}
	if s.Chain, err = json.Marshal(chain); err != nil {
		return err
	}
	return write(path, s)
}

func write(path string, s saved) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	compressed, _ := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err := json.NewEncoder(compressed).Encode(s); err != nil {
		return err
	}
	return compressed.Close()
}

// Load reads what Save wrote; chain is a pointer to what was given there.
func Load(path string, chain any) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var s saved
	if err := json.NewDecoder(compressed).Decode(&s); err != nil {
		return nil, err
	}
	h := &History{Clock: Clock{s.Start}}
	for i := range s.Ops {
		op := s.Ops[i].Op
		if op.Request, err = unpack(s.Ops[i].Request); err != nil {
			return nil, err
		}
		if op.Response, err = unpack(s.Ops[i].Response); err != nil {
			return nil, err
		}
		h.Ops = append(h.Ops, &op)
	}
	for i := range s.Streams {
		stream, err := loadStream(&s.Streams[i])
		if err != nil {
			return nil, err
		}
		h.Streams = append(h.Streams, stream)
	}
	return h, json.Unmarshal(s.Chain, chain)
}

func loadStream(s *savedStream) (*WatchStream, error) {
	stream := s.WatchStream
	for _, text := range s.Requests {
		message, err := unpack(text)
		if err != nil {
			return nil, err
		}
		request, is := message.(*pb.WatchCreateRequest)
		if !is {
			return nil, fmt.Errorf("not a watch request: %s", text)
		}
		stream.Requests = append(stream.Requests, request)
	}
	for _, one := range s.Responses {
		message, err := unpack(one.Response)
		if err != nil {
			return nil, err
		}
		response, is := message.(*pb.WatchResponse)
		if !is {
			return nil, fmt.Errorf("not a watch response: %s", one.Response)
		}
		stream.Responses = append(stream.Responses, WatchResponse{one.At, response})
	}
	return &stream, nil
}

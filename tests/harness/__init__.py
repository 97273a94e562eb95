"""What the black-box tests share: servers to start, a gRPC client to talk to them, tools to build."""

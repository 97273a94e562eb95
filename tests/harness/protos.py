"""The messages and methods of proto/*.proto, generated when the tests start."""

import importlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, symbol_database

from . import paths

_FILES = ("kv", "auth", "rpc", "v3election", "v3lock", "health", "lattice/v1/tokens")


def _generate():
    with tempfile.TemporaryDirectory(prefix="lattice-proto-") as folder:
        subprocess.run([paths.find_program("protoc"), f"--proto_path={paths.SOURCE}",
                        f"--python_out={folder}"] + [f"proto/{name}.proto" for name in _FILES], check=True)
        sys.path.insert(0, folder)
        try:
            return [importlib.import_module(f"proto.{name}_pb2")
                    for name in ("rpc", "kv", "v3election", "v3lock", "health", "lattice.v1.tokens")]
        finally:
            sys.path.remove(folder)


rpc, kv, election, lock, health, tokens = _generate()


class Method:
    """One RPC: its path and what goes in and out."""

    def __init__(self, service, descriptor, request_type, response_type):
        shape = descriptor_pb2.MethodDescriptorProto()
        descriptor.CopyToProto(shape)
        self.name = descriptor.name
        self.service = service.full_name
        self.path = f"/{service.full_name}/{descriptor.name}"
        self.request_type = request_type
        self.response_type = response_type
        self.client_streams = shape.client_streaming
        self.server_streams = shape.server_streaming


def _methods():
    symbols = symbol_database.Default()
    found = {}
    for module in (rpc, election, lock, health, tokens):
        for service in module.DESCRIPTOR.services_by_name.values():
            for descriptor in service.methods:
                method = Method(service, descriptor, symbols.GetSymbol(descriptor.input_type.full_name),
                                symbols.GetSymbol(descriptor.output_type.full_name))
                found[f"{service.name}.{descriptor.name}"] = method
    return found


# "KV.Put" -> Method
METHODS = _methods()

"""Protobuf's wire format by hand, for messages that no library would write."""


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def nested_txn(depth, innermost):
    """A TxnRequest whose only success operation is a transaction, and so on; these bytes are the innermost one."""
    message = innermost
    for _ in range(depth):
        operation = b"\x22" + varint(len(message)) + message
        message = b"\x12" + varint(len(operation)) + operation
    return message

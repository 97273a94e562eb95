"""HTTP/1.1 requests in scenario files: `http GET /health show=allow,content-type`, the body below, indented."""

import http.client
import json

from harness import text


def request(server, rest, body):
    """Sends the request; prints the status, the headers asked for, and the body."""
    method, _, rest = rest.partition(" ")
    path, _, rest = rest.partition(" ")
    options = dict(text.tokenize(rest))
    port = server.metrics_port if options.get("port") == "metrics" else server.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": options["content_type"]} if "content_type" in options else {}
    try:
        connection.request(method, path, body="\n".join(body) or None, headers=headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    lines = [str(response.status)]
    for name in (options.get("show") or "").split(","):
        if name:
            lines.append(f"{name}: {response.getheader(name)}")
    if "names" in options:
        return lines + _metric_names(content, options["names"].split(","))
    if options.get("body") == "keys":
        return lines + ["keys: " + " ".join(sorted(json.loads(content)))]
    if options.get("body") == "sorted":
        return lines + ["body: " + line for line in sorted(content.decode().split("\n")) if line]
    return lines + ([f"body: {json.dumps(content.decode())}"] if content else [])


def _metric_names(content, wanted):
    present = {line.split("{")[0].split(" ")[0] for line in content.decode().split("\n") if not line.startswith("#")}
    return [f"{name}: {'present' if name in present else 'MISSING'}" for name in wanted]

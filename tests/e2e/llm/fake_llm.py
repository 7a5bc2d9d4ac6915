"""A model's server without a model, for tests: OpenAI chat completions and Anthropic messages, streamed or whole.

What it does is chosen by the model's name: "good" answers with an instance of the schema it is given; the others misbehave
as real services do (see FAULTS). Judged by the official clients in test_llm.py: what they accept from it, ours must too.
"""

import http.server
import json
import re
import threading

FAULTS = {"good", "429", "truncate", "error-in-stream", "nonsense", "wrong-facts", "no-schema", "html-502", "too-long",
          "bad-key", "huge-numbers", "never-valid", "length", "learns"}


def instance(schema, wrong=False):
    """The smallest instance of a schema, with one join decision where the proposal asks for them."""
    if "anyOf" in schema:
        return instance(schema["anyOf"][0], wrong)
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema["type"]
    if kind == "object":
        return {name: instance(child, wrong) if name != "id" else ("J99" if wrong else "J1")
                for name, child in schema["properties"].items()}
    if kind == "array":
        return [instance(schema["items"], wrong)]
    return {"string": "x", "integer": 1, "number": 0.5, "boolean": True}[kind]


def modest(schema):
    """The instance that claims nothing."""
    if "anyOf" in schema:
        return modest(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: modest(child) for name, child in schema["properties"].items()}
    return {"array": [], "string": "", "integer": 0, "number": 0, "boolean": False}[schema["type"]]


def learned(schema, said):
    """A model that invents a table first, and keeps to what it was shown once it is told."""
    asked = next(m for m in said if "<data>\n" in m)
    told = any("there is no t" in m for m in said)
    if "targets" not in schema["properties"]:
        return modest(schema) if told else instance(schema)
    target = re.search(r'^target "([^"]+)"', asked, re.M).group(1) if told else "dim_invented"
    return {"targets": [{"target": target, "description": f"Told by the model of {target}.", "columns": []}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, content_type="application/json", headers=()):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, message, code=None, headers=()):
        if self.anthropic:
            body = {"type": "error", "error": {"type": code or "api_error", "message": message}}
        else:
            body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
        self.reply(status, body, headers=headers)

    def do_GET(self):
        self.anthropic = False
        if self.path.endswith("/models"):
            self.reply(200, {"object": "list", "data": [{"id": "good", "object": "model", "created": 1, "owned_by": "t"}]})
        else:
            self.fail(404, f"no route {self.path}")

    def do_POST(self):
        self.anthropic = self.path.endswith("/messages")
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), request))
        fault = request["model"]
        tries = self.server.count(fault)
        if not self.anthropic and not self.path.partition("?")[0].endswith("/chat/completions"):
            return self.fail(404, f"no route {self.path}")
        if fault == "bad-key":
            return self.fail(401, "Incorrect API key provided", "authentication_error")
        if fault == "429" and tries <= 2:
            return self.fail(429, "slow down", "rate_limit_error", [("retry-after", "1")])
        if fault == "html-502" and tries == 1:
            return self.reply(502, "<html><title>502 Bad Gateway</title></html>", "text/html")
        if fault == "too-long":
            return self.fail(400, "This model's maximum context length is 10 tokens.", "context_length_exceeded")
        if fault == "no-schema" and ("response_format" in request or "tools" in request):
            return self.fail(400, "response_format and tools are not supported by this model")
        text = self.answer(request, fault, tries)
        if request.get("stream"):
            self.stream(text, fault, tries)
        else:
            self.whole(text)

    @staticmethod
    def schema_of(request):
        if "tools" in request:
            return request["tools"][0].get("input_schema") or request["tools"][0]["function"]["parameters"]
        form = request.get("response_format") or {}
        if form.get("type") == "json_schema":
            return form["json_schema"]["schema"]
        system = request.get("system") or next((m["content"] for m in request["messages"] if m["role"] == "system"), "")
        found = re.search(r"JSON Schema:\n(\{.*\})", system, re.S)
        return json.loads(found.group(1)) if found else None

    def answer(self, request, fault, tries):
        schema = self.schema_of(request)
        if schema is None:
            return "Hello, wörld 😀: " + str(request["messages"][-1]["content"])[:40]
        if fault == "never-valid" or (fault == "nonsense" and tries == 1):
            return "I would rather talk about the weather {today}."
        if fault == "huge-numbers":
            return json.dumps({"joins": [{"id": "J1", "answer": 2e43, "reason": ""}]})
        if fault == "learns":
            return json.dumps(learned(schema, [m["content"] for m in request["messages"]]))
        text = json.dumps(instance(schema, wrong=fault == "wrong-facts"), ensure_ascii=False)
        return f"Sure!\n```json\n{text}\n```\n" if fault == "no-schema" else text

    def whole(self, text):
        if self.anthropic:
            self.reply(200, {"id": "m1", "type": "message", "role": "assistant", "model": "good",
                             "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                             "usage": {"input_tokens": 7, "output_tokens": 5}})
        else:
            self.reply(200, {"id": "c1", "object": "chat.completion", "created": 1, "model": "good",
                             "choices": [{"index": 0, "finish_reason": "stop",
                                          "message": {"role": "assistant", "content": text, "refusal": None}}],
                             "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}})

    def stream(self, text, fault, tries):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        broken = tries == 1 and fault in ("truncate", "error-in-stream")
        pieces = [text[i:i + 5] for i in range(0, len(text), 5)]
        if broken:
            pieces = pieces[:2]
        payload = b"".join(self.events(pieces, broken and fault, "length" if fault == "length" else "stop"))
        for i in range(0, len(payload), 7):  # split inside UTF-8, CR LF and JSON
            self.wfile.write(payload[i:i + 7])
        self.wfile.flush()

    def events(self, pieces, broken, finish):
        return self.anthropic_events(pieces, broken, finish) if self.anthropic else self.openai_events(pieces, broken, finish)

    @staticmethod
    def openai_events(pieces, broken, finish):
        def event(body, end=b"\r\n\r\n"):
            return b"data: " + json.dumps(body, ensure_ascii=False).encode() + end

        def chunk(delta, finish=None, **more):
            return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "good",
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}
        yield b": ping\n\n"
        yield event(chunk({"role": "assistant", "content": ""}, usage=None))
        for piece in pieces:
            yield event(chunk({"content": piece}), b"\n\n")
        if broken == "error-in-stream":
            yield event({"error": {"message": "The server had an error", "type": "server_error", "code": None}})
        if broken:
            return
        yield event(chunk({}, finish))
        yield event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "good", "choices": [],
                     "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}})
        yield b"data: [DONE]\n\n"

    @staticmethod
    def anthropic_events(pieces, broken, finish):
        def event(name, **body):
            return f"event: {name}\ndata: {json.dumps({'type': name, **body}, ensure_ascii=False)}\n\n".encode()
        tool = "".join(pieces).startswith("{")
        block = {"type": "tool_use", "id": "t1", "name": "x", "input": {}} if tool else {"type": "text", "text": ""}
        yield event("message_start", message={"id": "m1", "type": "message", "role": "assistant", "model": "good", "content": [],
                                              "stop_reason": None, "stop_sequence": None,
                                              "usage": {"input_tokens": 7, "output_tokens": 1}})
        yield event("content_block_start", index=0, content_block=block)
        yield event("ping")
        for piece in pieces:
            delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
            yield event("content_block_delta", index=0, delta=delta)
        if broken == "error-in-stream":
            yield event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        if broken:
            return
        yield event("content_block_stop", index=0)
        reason = "max_tokens" if finish == "length" else "tool_use" if tool else "end_turn"
        yield event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 5})
        yield event("message_stop")


class FakeLlm(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.lock = threading.Lock()
        self.counts = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, fault):
        with self.lock:
            self.counts[fault] = self.counts.get(fault, 0) + 1
            return self.counts[fault]

    def reset(self):
        with self.lock:
            self.counts.clear()
            self.requests.clear()


if __name__ == "__main__":
    server = FakeLlm()
    print(server.url, flush=True)
    threading.Event().wait()

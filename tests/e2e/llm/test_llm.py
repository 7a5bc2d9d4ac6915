"""Our client and the official ones against the same server: what one accepts, the other must."""

import json
import os
import subprocess
import unittest

import anthropic
import jsonschema
import openai
from fake_llm import FakeLlm

PROBE = os.environ["LLM_PROBE"]
SERVER = FakeLlm()
PROVIDERS = ("compatible", "openai", "groq", "anthropic")


def probe(model, *command, provider="compatible"):
    SERVER.reset()
    done = subprocess.run([PROBE, provider, SERVER.url + "/v1", model, *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class OfficialClients(unittest.TestCase):
    """They judge the server, so that our client is not tested against a fiction."""

    def setUp(self):
        SERVER.reset()
        self.openai = openai.OpenAI(base_url=SERVER.url + "/v1", api_key="test-key", max_retries=2)
        self.anthropic = anthropic.Anthropic(base_url=SERVER.url, api_key="test-key", max_retries=2)

    def chat(self, model="good", **options):
        return self.openai.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], **options)

    def test_openai_whole_and_streamed(self):
        whole = self.chat().choices[0].message.content
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}))
        streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(whole, streamed)
        self.assertIn("wörld 😀", whole)
        self.assertEqual(chunks[-1].usage.prompt_tokens, 7)
        self.assertEqual([m.id for m in self.openai.models.list()], ["good"])

    def test_openai_faults(self):
        self.assertIn("wörld", self.chat("429").choices[0].message.content)
        self.assertIn("wörld", self.chat("html-502").choices[0].message.content)
        with self.assertRaises(openai.AuthenticationError):
            self.chat("bad-key")
        with self.assertRaises(openai.BadRequestError):
            self.chat("too-long")
        with self.assertRaises(openai.APIError):
            list(self.chat("error-in-stream", stream=True))
        chunks = list(self.chat("truncate", stream=True))  # says nothing: this is why we look for the finish reason
        self.assertTrue(all(c.choices[0].finish_reason is None for c in chunks))

    def test_anthropic_whole_and_streamed(self):
        messages = [{"role": "user", "content": "hi"}]
        whole = self.anthropic.messages.create(model="good", max_tokens=50, messages=messages)
        with self.anthropic.messages.stream(model="good", max_tokens=50, messages=messages) as stream:
            streamed = "".join(stream.text_stream)
            final = stream.get_final_message()
        self.assertEqual(whole.content[0].text, streamed)
        self.assertEqual((final.stop_reason, final.usage.input_tokens), ("end_turn", 7))
        with self.assertRaises(anthropic.AuthenticationError):
            self.anthropic.messages.create(model="bad-key", max_tokens=50, messages=messages)

    def test_anthropic_tool(self):
        tool = {"name": "answer", "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}}}
        with self.anthropic.messages.stream(model="good", max_tokens=50, messages=[{"role": "user", "content": "hi"}],
                                            tools=[tool], tool_choice={"type": "tool", "name": "answer"}) as stream:
            final = stream.get_final_message()
        self.assertEqual(final.content[0].input, {"id": "J1"})


class Addresses(unittest.TestCase):
    """Where a request goes and how it is signed, beside the official client's request for the same."""

    def official(self, client, model):
        SERVER.reset()
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], stream=True)
        return SERVER.requests[0]

    def ours(self, provider, base_url, model):
        SERVER.reset()
        done = subprocess.run([PROBE, provider, base_url, model, "complete", "hi"], capture_output=True, text=True, timeout=60)
        self.assertIn("wörld", json.loads(done.stdout)["text"], done.stdout)
        return SERVER.requests[0]

    def assert_same(self, theirs, ours, header):
        self.assertEqual(theirs[0], ours[0])
        lower = [{k.lower(): v for k, v in seen[1].items()} for seen in (theirs, ours)]
        self.assertEqual(lower[0].get(header), lower[1].get(header))
        self.assertEqual({k for k in ("authorization", "api-key", "x-api-key") if k in lower[1]}, {header})
        self.assertLessEqual(set(theirs[2]), set(ours[2]))

    def test_azure(self):
        client = openai.AzureOpenAI(azure_endpoint=SERVER.url, azure_deployment="good", api_version="2024-10-21", api_key="test-key")
        self.assert_same(self.official(client, "good"),
                         self.ours("azure", SERVER.url + "/openai/deployments/good?api-version=2024-10-21", "good"), "api-key")

    def test_databricks_serving(self):
        client = openai.OpenAI(base_url=SERVER.url + "/serving-endpoints", api_key="test-key")
        self.assert_same(self.official(client, "good"), self.ours("databricks", SERVER.url + "/serving-endpoints", "good"),
                         "authorization")

    def test_groq_and_openai(self):
        for provider, path in (("groq", "/openai/v1"), ("openai", "/v1"), ("compatible", "/v1")):
            client = openai.OpenAI(base_url=SERVER.url + path, api_key="test-key")
            self.assert_same(self.official(client, "good"), self.ours(provider, SERVER.url + path, "good"), "authorization")

    def test_anthropic(self):
        SERVER.reset()
        anthropic.Anthropic(base_url=SERVER.url, api_key="test-key").messages.create(
            model="good", max_tokens=50, messages=[{"role": "user", "content": "hi"}], stream=True)
        theirs = SERVER.requests[0]
        ours = self.ours("anthropic", SERVER.url, "good")
        self.assertEqual(theirs[0], ours[0])
        self.assertLessEqual(set(theirs[2]), set(ours[2]))
        headers = {k.lower(): v for k, v in ours[1].items()}
        # The documented header and the version it is documented for; the client's own differ from release to release.
        self.assertEqual((headers["x-api-key"], headers["anthropic-version"]), ("test-key", "2023-06-01"))


class OurClient(unittest.TestCase):
    def test_the_same_text_as_the_official_one(self):
        theirs = openai.OpenAI(base_url=SERVER.url + "/v1", api_key="k").chat.completions.create(
            model="good", messages=[{"role": "user", "content": "hi"}]).choices[0].message.content
        for provider in PROVIDERS:
            ours = probe("good", "complete", "hi", provider=provider)
            self.assertEqual(ours["text"], theirs)
            self.assertEqual((ours["calls"], ours["input_tokens"], ours["output_tokens"]), (1, 7, 5))
            self.assertEqual(ours["streamed"], len(theirs.encode()))

    def test_requests_carry_what_each_provider_wants(self):
        for provider in PROVIDERS:
            probe("good", "propose", provider=provider)
            path, headers, body = SERVER.requests[0]
            if provider == "anthropic":
                self.assertEqual((path, headers["x-api-key"]), ("/v1/messages", "test-key"))
                schema = body["tools"][0]["input_schema"]
            else:
                self.assertEqual((path, headers["Authorization"]), ("/v1/chat/completions", "Bearer test-key"))
                self.assertEqual(body["response_format"]["type"], "json_object" if provider == "groq" else "json_schema")
                if provider == "groq":
                    self.assertIn("JSON", body["messages"][0]["content"])
                    continue
                schema = body["response_format"]["json_schema"]["schema"]
            jsonschema.Draft202012Validator.check_schema(schema)
            self.assert_portable(schema)

    def assert_portable(self, schema):
        """What strict providers demand of every object."""
        if schema.get("type") == "object":
            self.assertIs(schema["additionalProperties"], False)
            self.assertEqual(sorted(schema["required"]), sorted(schema["properties"]))
            for child in schema["properties"].values():
                self.assert_portable(child)
        if schema.get("type") == "array":
            self.assert_portable(schema["items"])
        self.assertNotIn("$ref", schema)

    def test_proposals(self):
        for provider in PROVIDERS:
            for model in ("good", "429", "html-502", "truncate", "error-in-stream", "nonsense", "no-schema"):
                with self.subTest(provider=provider, model=model):
                    got = probe(model, "propose", provider=provider)
                    self.assertNotIn("error", got)
                    self.assertEqual(got["proposal"]["joins"], [{"id": "J1", "answer": "JOIN_ANSWER_NO", "reason": "x"}])
                    self.assertEqual(got["complaints"], "")

    def test_wrong_facts_are_named(self):
        got = probe("wrong-facts", "propose")
        self.assertIn('"J99" is not one of the ids shown', got["complaints"])
        self.assertEqual(got["calls"], 3)
        self.assertIn('"J99" is not one of the ids shown', SERVER.requests[-1][2]["messages"][-1]["content"])

    def test_what_cannot_be_used_ends_in_an_error(self):
        for model, code, text in (("never-valid", "FAILED_PRECONDITION", "no usable answer"),
                                  ("huge-numbers", "FAILED_PRECONDITION", "joins[0].answer: 2e+43: expected one of"),
                                  ("bad-key", "UNAUTHENTICATED", "Incorrect API key"),
                                  ("too-long", "OUT_OF_RANGE", "maximum context length")):
            with self.subTest(model=model):
                got = probe(model, "propose")
                self.assertEqual(got["code"], code)
                self.assertIn(text, got["error"])
                self.assertNotIn("test-key", json.dumps(got))

    def test_nobody_there(self):
        done = subprocess.run([PROBE, "compatible", "http://127.0.0.1:9/v1", "m", "complete", "x"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(json.loads(done.stdout)["code"], "UNAVAILABLE")

    def test_cut_at_the_length(self):
        self.assertEqual(probe("length", "complete", "hi")["stop"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)

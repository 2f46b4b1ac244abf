// The vendor's TypeScript client, unchanged but for its base URL: makes an agent, runs a session, reads it.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ apiKey: "unused-on-loopback", baseURL: process.argv[2], maxRetries: 0 });
const sessions = client.beta.sessions;

const agent = await client.beta.agents.create({ model: "scripted:echo", name: "clerk" });
const environment = await client.beta.environments.create({ name: "here" });
const session = await sessions.create({ agent: agent.id, environment_id: environment.id, title: "from TypeScript" });

const streamed: string[] = [];
let said = "";
const stream = await sessions.events.stream(session.id);
await sessions.events.send(session.id, {
  events: [{ type: "user.message", content: [{ type: "text", text: "¡hola!" }] }],
});
for await (const event of stream) {
  streamed.push(event.type);
  if (event.type === "agent.message") {
    said += event.content.map((block) => (block.type === "text" ? block.text : "")).join("");
  }
  if (event.type === "session.status_idle") break;
}

const listed: string[] = [];
for await (const event of sessions.events.list(session.id, { limit: 2 })) listed.push(event.type);

const after = await sessions.retrieve(session.id);
const threads: string[] = [];
for await (const thread of sessions.threads.list(session.id)) threads.push(thread.status);
const archived = await sessions.archive(session.id);

console.log(
  JSON.stringify({
    agent: after.agent.name,
    archived: archived.status,
    listed,
    said,
    status: after.status,
    streamed,
    threads,
    tokens: after.usage.input_tokens,
  }),
);

// Prints every event in the life of a job once, as JSON lines, over restarts of nats-server and of this program.
//
// Written from docs/events.md alone; needs Node.js 20 and `npm install`. Settings, all in the environment: NATS_URL, with
// user and password where the server has users; NATS_DOMAIN, `headway` where it has; CONSUMER.

import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, nanos } from "@nats-io/transport-node";

const SUBJECT = "trainer.train.>";
const IDS_REMEMBERED = 100_000;

const url = new URL(process.env.NATS_URL ?? "nats://127.0.0.1:4222");
const domain = process.env.NATS_DOMAIN;
const name = process.env.CONSUMER ?? "example-javascript";

const connection = await connect({
  servers: url.host,
  ...(url.username && { user: url.username, pass: decodeURIComponent(url.password) }),
  maxReconnectAttempts: -1,
  reconnectTimeWait: 500,
});
for (const end of ["SIGINT", "SIGTERM"]) process.on(end, () => connection.close());

// A subscriber may not ask for the account's limits, which the library would look at first.
const options = { checkAPI: false, ...(domain && { domain }) };
const manager = await jetstreamManager(connection, options);
await manager.consumers.add("EVENTS", {
  durable_name: name,
  filter_subject: SUBJECT,
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(5_000),
  max_ack_pending: 1, // The next event comes when the last one is acknowledged: so the order holds.
});

// Work that must be done once keeps the ids where it keeps its results instead.
const seen = new Set();

function isRepeat(id) {
  if (seen.has(id)) return true;
  seen.add(id);
  if (seen.size > IDS_REMEMBERED) seen.delete(seen.values().next().value);
  return false;
}

// Prints one line. What is unknown is ignored, because types and fields are added within v1.
function show(event) {
  if (isRepeat(event.id)) return;
  const { run_id: job, sequence, reason = "" } = event.data;
  console.log(JSON.stringify({ id: event.id, type: event.type, time: event.time, job, sequence, reason }));
}

// Shows one event and acknowledges it. So is what is no event, or it would come again for ever and hold up the rest.
function work(message) {
  try {
    show(message.json());
  } catch (error) {
    complain(error);
  }
  message.ack();
}

function complain(error) {
  console.error(`${error.name}: ${error.message}`);
}

const consumer = await jetstream(connection, options).consumers.get("EVENTS", name);
while (!connection.isClosed()) {
  try {
    const message = await consumer.next({ expires: 2_000 });
    if (message === null) continue; // Nothing happened for two seconds.
    work(message);
  } catch (error) {
    if (connection.isClosed()) break;
    complain(error); // The connection comes back by itself.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
console.error("stopped");

// Follows the runs of Threadworks over Kafka: `npm ci`, then `node subscriber.mjs`.
import { Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({
  clientId: "example-subscriber-node",
  brokers: (process.env.KAFKA ?? "127.0.0.1:9092").split(","),
  logLevel: logLevel.ERROR,
});
// Your own group: groups share nothing.
const consumer = kafka.consumer({ groupId: process.env.GROUP ?? "example-subscriber-node" });
const known = new Set();

await consumer.connect();
await consumer.subscribe({ topic: "threadworks.run-events.v1", fromBeginning: true });
await consumer.run({
  // The offset is committed after this has returned.
  eachMessage: async ({ message }) => {
    const { ce_id: id, ce_type: type, ce_seq: seq } = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name, value.toString()]),
    );
    // At least once: what comes again has the same id. Work that must not be done twice keeps ids in a database.
    if (!known.has(id) && type.startsWith("threadworks.run.")) {
      const { run } = JSON.parse(message.value.toString());
      console.log(type, seq, run.id, run.status);
    }
    known.add(id);
    if (known.size > 10_000) known.delete(known.values().next().value);
  },
});

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect());
